package event

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
)

// Field numbers of a payload and of an item in it. spec: 03-events §6.3
const (
	fieldSignature = 1
	fieldFlags     = 2
	fieldEvents    = 3
	fieldCount     = 4
	fieldIndex     = 5
	fieldPath      = 6

	fieldItemHeader  = 1
	fieldItemContent = 2
)

const (
	flagAckWanted = 1
	maxFlags      = 0xff
)

// Batch is 1 to MaxBatchEvents events of one author and log under one signature, or a
// single event of such a batch with its Merkle path.
type Batch struct {
	Events    []Event
	AckWanted bool // the sender asks connected members for acknowledgements

	payload []byte
	sig     []byte // slice of payload
	count   int    // events that were signed together
	index   int    // place of Events[0] among them
	path    []byte // audit path of Events[0] when count > 1 and it is alone
	gap     []byte // sealed here: payload with room for flags in front
}

// Decode reads a payload: the one canonical form, sizes, content hashes, one author and
// log, the order of seq, hlc and parents. It does not check the signature (Verify).
// The batch keeps payload and points into it: the caller must not use it again.
func Decode(payload []byte) (*Batch, error) {
	if len(payload) > MaxBatchBytes {
		return nil, fmt.Errorf("%w: payload of %d bytes", ErrTooLarge, len(payload))
	}
	b := &Batch{payload: payload, count: 1}
	r := reader{b: payload}
	b.sig = r.bytes(fieldSignature)
	b.AckWanted = r.number(fieldFlags, maxFlags)&flagAckWanted != 0
	if err := b.takeEvents(&r); err != nil {
		return nil, err
	}
	if err := b.takeProof(&r); err != nil {
		return nil, err
	}
	if err := b.checkOrder(); err != nil {
		return nil, err
	}
	return b, nil
}

// takeEvents reads the items. Their number is counted first, so that a batch costs a
// handful of allocations, whatever its size.
func (b *Batch) takeEvents(r *reader) error {
	n := countItems(r.b)
	if n > MaxBatchEvents {
		return fmt.Errorf("%w: more than %d events", ErrTooLarge, MaxBatchEvents)
	}
	b.Events = make([]Event, 0, n)
	slab := make([]ID, 0, n)
	hash := newHasher()
	for i := range n {
		item := r.bytes(fieldEvents)
		if r.err != nil {
			return r.err
		}
		b.Events = append(b.Events, Event{})
		if err := b.Events[i].take(item, &slab, hash); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	if n == 0 {
		r.fail("no event")
	}
	return r.err
}

// countItems counts the leading item fields, a broken last one too; at most one more
// than is allowed.
func countItems(b []byte) int {
	r := reader{b: b}
	n := 0
	for n <= MaxBatchEvents && r.has(fieldEvents<<3|wireBytes) {
		r.bytes(fieldEvents)
		n++
	}
	return n
}

// take reads one item and checks that content matches its header. spec: 03-events §4.1
func (e *Event) take(item []byte, slab *[]ID, hash *hasher) error {
	r := reader{b: item}
	e.Raw = r.bytes(fieldItemHeader)
	e.Content = r.bytes(fieldItemContent)
	if err := r.end(); err != nil {
		return err
	}
	if err := decodeHeader(e.Raw, &e.Header, slab); err != nil {
		return err
	}
	e.ID = hash.sum(domainEvent, e.Raw)
	if e.Content == nil {
		return nil
	}
	if len(e.Content) != int(e.ContentSize) {
		return fmt.Errorf("%w: content of %d bytes, header says %d", ErrHash, len(e.Content), e.ContentSize)
	}
	if hash.sum(domainContent, e.Content) != e.ContentHash {
		return ErrHash
	}
	return nil
}

// takeProof reads the rest of the payload. spec: 03-events §6.5
func (b *Batch) takeProof(r *reader) error {
	count := int(r.number(fieldCount, MaxBatchEvents))
	b.index = int(r.number(fieldIndex, MaxBatchEvents-1))
	b.path = r.bytes(fieldPath)
	if err := r.end(); err != nil {
		return err
	}
	if len(b.sig) != ed25519.SignatureSize {
		return fmt.Errorf("%w: signature of %d bytes", ErrForm, len(b.sig))
	}
	if count == 0 {
		if b.index != 0 || b.path != nil {
			return fmt.Errorf("%w: path without count", ErrForm)
		}
		b.count = len(b.Events)
		return nil
	}
	if count == 1 || len(b.Events) != 1 || b.index >= count || len(b.path) != 32*pathLen(b.index, count) {
		return fmt.Errorf("%w: path does not fit event %d of %d", ErrForm, b.index, count)
	}
	b.count = count
	return nil
}

// checkOrder checks what the events of a batch owe each other. spec: 03-events §6.4
func (b *Batch) checkOrder() error {
	first := &b.Events[0]
	for i := 1; i < len(b.Events); i++ {
		prev, e := &b.Events[i-1], &b.Events[i]
		switch {
		case e.Log != first.Log || e.Author != first.Author:
			return fmt.Errorf("%w: event %d of another log or author", ErrForm, i)
		case e.Seq != prev.Seq+1 || e.Parents[0] != prev.ID:
			return fmt.Errorf("%w: event %d does not follow the one before", ErrForm, i)
		case e.HLC <= prev.HLC || e.HLC.Millis()-first.HLC.Millis() > MaxDrift.Milliseconds():
			return fmt.Errorf("%w: hlc of event %d", ErrForm, i)
		}
	}
	return nil
}

// Verify checks the one signature over the batch's Merkle root, by the rule of Go's
// crypto/ed25519. Errors wrap ErrSignature. spec: 03-events §6.2
func (b *Batch) Verify() error {
	author := b.Events[0].Author
	msg := signedBytes(b.count, b.root())
	if !ed25519.Verify(author[:], msg[:], b.sig) {
		return ErrSignature
	}
	return nil
}

func (b *Batch) root() [32]byte {
	if b.single() {
		return rootFromPath(leafHash(&b.Events[0].ID), b.index, b.count, b.path)
	}
	return merkleRoot(b.Events)
}

// single reports whether this is one event of a larger batch.
func (b *Batch) single() bool { return b.count > len(b.Events) }

// signedBytes returns "parley/batch/1" ‖ count (4 bytes, big-endian) ‖ root.
func signedBytes(count int, root [32]byte) (msg [len(domainBatch) + 4 + 32]byte) {
	n := copy(msg[:], domainBatch)
	binary.BigEndian.PutUint32(msg[n:], uint32(count))
	copy(msg[n+4:], root[:])
	return msg
}

// Payload returns the canonical bytes, verbatim as received or sealed: what is sent
// and what is stored. They must not be changed.
func (b *Batch) Payload() []byte { return b.payload }

// Log returns the log that all events of the batch are in.
func (b *Batch) Log() LogID { return b.Events[0].Log }

// Author returns the author of all events of the batch.
func (b *Batch) Author() Author { return b.Events[0].Author }
