// Package audit is a registrar's log of who was let in, refused, revoked or
// handed something: JSON records in append-only files, and over them a Merkle
// tree (RFC 6962) whose root the registrar signs and others cosign, so that
// nothing in it can be changed, taken out, put in or moved unseen.
//
//	l, err := audit.Open(dir, audit.Config{Signer: signer})
//	defer l.Close()
//	n, err := l.Append(ctx, audit.Record{Time: now, Op: audit.OpRefuse, Reason: "revoked"}) // on disk when it returns
//	rep, err := audit.Verify(ctx, dir, audit.Options{Trusted: []peer.ID{id}})              // offline, by anybody
//	proof, err := audit.Prove(dir, n)                                                      // and audit.CheckProof
//
// # What is promised
//
// One goroutine writes. It takes what waits, writes it in one piece, syncs once
// and tells the callers: what is told survives a kill and the loss of power. A
// log that was killed opens again by itself: a torn last line is cut, hashes are
// compared with the records and written anew where they differ. A checkpoint
// names only what is on disk; one is signed once a second while records come,
// and at Close.
//
// A Log's methods may be called by any goroutine; after Close they return
// ErrClosed. Readers (Verify, Prove, NewReader) need no Log and may run beside
// one, also in another process. Memory does not grow with the log.
//
// # What it does not do
//
// Who can write to the directory can take away its end, checkpoints and all:
// only who has seen a later checkpoint knows. That is what cosigning is for.
// Records are not encrypted, and the times in them are what callers say.
//
// The form on disk and of what is signed is docs/protocol/12-audit.md.
package audit
