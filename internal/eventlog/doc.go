// Package eventlog keeps the events of all logs on disk, encrypted, in arrival
// order and in the order in which they are shown, and knows what is missing.
//
//	s, err := eventlog.Open(ctx, eventlog.Options{Dir: dir, Key: key})
//	defer s.Close()
//	res, err := s.Append(ctx, batch, true) // verified by the caller; on disk when it returns; AppendAll: several
//	for e, err := range s.History(ctx, eventlog.Query{Log: log, Reverse: true, Limit: 50}) { … }
//	for e, err := range s.Since(ctx, cursor) { … }
//
// # What is promised
//
// One goroutine writes. It takes all requests that wait, numbers the arrivals,
// commits them as one transaction and tells the callers: what is told survives
// a kill of the process; what was appended as durable also survives the loss
// of power, and so does everything else 200 ms after it was appended. A store
// that was killed, or copied while it ran, opens again by itself.
//
// What follows from payloads (sums, heads, records of authors) is in memory first and written
// once for several commits; a kill makes the next opening read the payloads since.
//
// Arrival numbers rise and are never given twice. They have holes: after an
// unclean end numbering goes on past a leased range, and a payload of n events
// takes n numbers though some of them may have been there before.
//
// Readers run beside the writer and see whole commits. An iterator reads in
// portions and holds nothing while its caller works: events that come
// meanwhile are seen where they still lie ahead. Events handed out share memory
// with other readers and must not be changed.
//
// A log has a floor below which nothing is taken in: Retain raises it and deletes,
// Reclaim gives the disk back. Erase takes contents out for good, ExpireDue those
// whose time has come. Range gives a log to reconciliation without reading it whole.
// SetCuts ends what authors can add: what is behind is deleted and refused.
// Salvage makes a new store of what can be read of a damaged one.
//
// A store takes 10 to 20 MB of memory and holds at most 256 waiting requests;
// Append then waits. Every method may be called by any
// goroutine; after Close all return ErrClosed.
//
// # What it does not do
//
// It does not verify signatures, does not know who is a member, and does not
// hold back events whose parents are missing: it says which those are.
//
// The layout on disk is described in keys.go and values.go, its reasons in
// docs/decisions/2026-11-23-store-schema.md, 2026-11-25-store-schema-2.md,
// 2026-11-26-store-schema-3.md, 2026-11-26-store-checkpoints.md and
// 2026-11-26-store-schema-4.md.
package eventlog
