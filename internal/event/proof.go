package event

import (
	"crypto/ed25519"
	"fmt"
)

// Proof shows that the author of an event signed it: what Decode needs beside
// its header and content. spec: 03-events §6.5
type Proof struct {
	Signature []byte
	Count     int    // events that were signed together, 1 to MaxBatchEvents
	Index     int    // place of the event among them
	Path      []byte // audit path, empty if it was signed by itself
}

// Proof returns the proof of a batch's only event, and false for a batch of
// several. Its slices must not be changed.
func (b *Batch) Proof() (Proof, bool) {
	return Proof{b.sig, b.count, b.index, b.path}, len(b.Events) == 1
}

// Alone writes the payload of one event from its parts; content is empty if it
// is erased. It checks nothing: Decode and Verify do.
func Alone(header, content []byte, p Proof) []byte {
	e := Event{Raw: header, Content: content}
	b := Batch{sig: p.Signature, count: p.Count}
	out := b.encode([]Event{e}, p.Index, p.Path)
	if p.Count <= 1 { // encode leaves out what such an event cannot have: Decode refuses it
		out = appendNumber(out, fieldIndex, uint64(p.Index))
		out = appendBytes(out, fieldPath, p.Path)
	}
	return out
}

// Join returns the batch that singles were served from: all its events, each
// alone, in any order. It fails if any is missing, or if they are no batch that
// Decode takes; the caller goes on with them as they are.
func Join(singles []*Batch) (*Batch, error) {
	count := singles[0].count
	if len(singles) != count {
		return nil, fmt.Errorf("%w: %d of %d events", ErrForm, len(singles), count)
	}
	events := make([]Event, count)
	for _, s := range singles {
		if len(s.Events) != 1 || s.count != count || events[s.index].Raw != nil {
			return nil, fmt.Errorf("%w: not the events of one batch", ErrForm)
		}
		events[s.index] = s.Events[0]
	}
	whole := Batch{sig: singles[0].sig, count: count}
	return Decode(whole.encode(events, 0, nil))
}

// Claim is what one signature says: this author signed this many events with
// this root. Claims are comparable.
type Claim struct {
	author    Author
	count     int
	root      [32]byte
	signature [ed25519.SignatureSize]byte
}

// Claim returns what the signature of the batch says.
func (b *Batch) Claim() Claim {
	return Claim{b.Events[0].Author, b.count, b.root(), [ed25519.SignatureSize]byte(b.sig)}
}

// Verifier verifies events that are served alone: it checks the signature that
// many of them share once. It remembers the last claims that held, a bounded
// number. The zero value is ready; one goroutine at a time may use it.
type Verifier struct {
	held map[Claim]struct{}
	ring [64]Claim // oldest at next
	next int
}

// Verify is Batch.Verify.
func (v *Verifier) Verify(b *Batch) error {
	c := b.Claim()
	if _, ok := v.held[c]; ok {
		return nil
	}
	if err := b.Verify(); err != nil {
		return err
	}
	if v.held == nil {
		v.held = make(map[Claim]struct{}, len(v.ring))
	}
	delete(v.held, v.ring[v.next])
	v.ring[v.next] = c
	v.held[c] = struct{}{}
	v.next = (v.next + 1) % len(v.ring)
	return nil
}

// Tree gives the proofs of the events of one batch, hashing it once for all of them.
type Tree struct {
	b      *Batch
	levels [][][32]byte // leaves first; the root is not among them
}

// Tree makes the batch's Merkle tree.
func (b *Batch) Tree() *Tree {
	t := &Tree{b: b}
	if b.single() {
		return t
	}
	level := make([][32]byte, len(b.Events))
	for i := range b.Events {
		level[i] = leafHash(&b.Events[i].ID)
	}
	for len(level) > 1 {
		t.levels = append(t.levels, level)
		above := make([][32]byte, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			above = append(above, nodeHash(&level[i], &level[i+1]))
		}
		if len(level)%2 == 1 {
			above = append(above, level[len(level)-1])
		}
		level = above
	}
	return t
}

// Proof returns the proof of event i, which must be one of the batch.
func (t *Tree) Proof(i int) Proof {
	if t.b.single() {
		return Proof{t.b.sig, t.b.count, t.b.index, t.b.path}
	}
	var path []byte
	at := i
	for _, level := range t.levels {
		if sibling := at ^ 1; sibling < len(level) {
			path = append(path, level[sibling][:]...)
		}
		at /= 2
	}
	return Proof{t.b.sig, t.b.count, i, path}
}

// HeaderID returns the ID of the event with this header. spec: 03-events §5
func HeaderID(header []byte) ID { return newHasher().sum(domainEvent, header) }
