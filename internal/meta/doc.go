// Package meta has no code of the product: its tests hold the rules of this repository, so that a
// change that breaks one is told at once which and why.
//
// Rules are of source text alone and need no build: the direction of imports, purity of the pure
// packages, where badger, printing and exits may be named, one overview a package, length and form
// of files, error codes against docs/errors.md, references into docs/protocol, licences of what is
// linked. Each rule has a sample in rules_test.go that breaks it.
package meta
