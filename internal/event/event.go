// Package event is the durable kind of data of Parley: signed events, the batches they
// travel and rest in, the logs they belong to and the hybrid clock that orders them.
// docs/protocol/03-events.md is its specification; comments of the form
// "spec: 03-events §4.1" name the section that a piece of code obeys.
//
// An author seals drafts into a batch; everyone else decodes and verifies it:
//
//	b, err := event.Seal(log, author, lastSeq, last, drafts, sign)
//	send(b.Payload())
//
//	b, err := event.Decode(payload) // form, sizes, hashes, order
//	err = b.Verify()                // Merkle root and the one signature
//
// The package is pure: no goroutine, wall clock, file, socket or global randomness.
// Apart from Clock, which locks itself, nothing here may be changed by one goroutine
// while another uses it; a Batch that nobody changes can be read by many.
//
// It does not know who is a member, what is stored, or what is still to come: whether
// parents exist and sequences have gaps is the business of the store.
package event

import "errors"

// What is wrong with bytes that came from outside. Every error of Decode and Verify
// wraps exactly one of these, so that callers can count reasons.
var (
	ErrForm      = errors.New("malformed event")              // not the one canonical form, or a broken rule of order
	ErrTooLarge  = errors.New("event over a limit")           // more bytes, events or parents than allowed
	ErrHash      = errors.New("event content does not match") // content differs from the hash in its header
	ErrSignature = errors.New("event signature does not hold")
	ErrVersion   = errors.New("event of an unknown major version") // not wrong for everyone: ignore, do not reject
)

// Limits of the format. spec: 03-events §1.3
const (
	MaxContent     = 64 << 10  // bytes of one content, its salt included
	MaxBatchEvents = 256       // events in one batch
	MaxBatchBytes  = 128 << 10 // bytes of one payload
	MaxHeader      = 1 << 10   // bytes of one header
	MaxParents     = 8         // the author's previous event and up to 7 other heads
	SaltSize       = 16        // random bytes in front of every plain content
)

// Version is the format version that this package writes: major<<8 | minor.
// spec: 03-events §3.3
const Version uint32 = 0x0100

// Kind says what an event is for. Values are only ever added. spec: 03-events §3.6
type Kind uint32

// The known kinds. Others are kept, forwarded and shown as "needs a newer Parley".
const (
	KindMessage Kind = 1 // content: Message
	KindProfile Kind = 2 // content: Profile; makes its author a member of the log
	KindLeave   Kind = 3 // no payload; ends the author's membership
)

// Header is the signed part of an event, decoded. spec: 03-events §3.1
type Header struct {
	Version     uint32 // major<<8 | minor
	Log         LogID
	Author      Author
	Seq         uint64 // from 1, rising by one per author and log
	HLC         HLC
	Parents     []ID // seq > 1: the author's previous event first; the others ascending
	Kind        Kind
	KeyEpoch    *uint64  // key that seals the content; nil = not encrypted
	Expiry      uint64   // Unix milliseconds after which content is erased; 0 = never
	ContentSize uint32   // bytes, salt included; kept when content is erased
	ContentHash [32]byte // SHA-256("parley/content/1" ‖ content)
}

// Event is one event of a decoded or sealed batch. Raw and Content are slices of the
// batch's payload and must not be changed.
type Event struct {
	Header
	ID      ID
	Raw     []byte // the header's bytes, verbatim
	Content []byte // salt ‖ payload, or ciphertext under a key epoch; nil = erased
}

// Payload returns the content without its salt; nil when it is erased or sealed under
// a key epoch.
func (e *Event) Payload() []byte {
	if e.Content == nil || e.KeyEpoch != nil {
		return nil
	}
	return e.Content[SaltSize:]
}

// NeedsNewer reports that this version of Parley can keep and forward the event but
// cannot show it: its kind is unknown or its minor version higher than ours.
func (e *Event) NeedsNewer() bool {
	return e.Version > Version || e.Kind > KindLeave
}
