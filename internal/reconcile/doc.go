// Package reconcile finds out what two sets of events lack of each other, by
// comparing fingerprints of ranges: Negentropy protocol v1
// (https://github.com/hoytech/negentropy/blob/master/docs/negentropy-protocol-v1.md)
// with the whole seconds of an event's hlc as timestamps.
//
// The package is pure: no goroutine, clock, socket, file or randomness.
//
// spec: 06-sync
package reconcile
