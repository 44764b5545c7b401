package event

import (
	"crypto/ed25519"
	"fmt"
	"slices"
)

// Draft is an event before it has a place in its log.
type Draft struct {
	HLC     HLC
	Parents []ID // current heads of other authors, in any order; Seal adds the previous event
	Kind    Kind
	Expiry  uint64   // Unix milliseconds, 0 = never
	Payload []byte   // up to MaxContent - SaltSize bytes
	Salt    [16]byte // fresh random bytes
}

// ackGap is the room left in front of a sealed payload for the flags (WantAck).
const ackGap = 2

// Fit returns how many of the first drafts go into one batch: at most MaxBatchEvents
// and MaxBatchBytes, hlc rising strictly over at most MaxDrift. It is at least 1 when
// there is a draft, so that Seal can say what is wrong with it.
func Fit(drafts []Draft) int {
	size := sizeBytes(ed25519.SignatureSize) + ackGap
	for i := range drafts {
		d := &drafts[i]
		size += maxItem(d)
		if i == 0 {
			continue
		}
		if i == MaxBatchEvents || size > MaxBatchBytes || d.HLC <= drafts[i-1].HLC ||
			d.HLC.Millis()-drafts[0].HLC.Millis() > MaxDrift.Milliseconds() {
			return i
		}
	}
	return len(drafts)
}

// maxItem bounds the bytes that a draft takes in a payload.
func maxItem(d *Draft) int {
	const numbers = 3 + 11 + 11 + 6 + 8 + 4 // version, seq, hlc, kind, expiry, content size, tags included
	header := 3*sizeBytes(32) + numbers + sizeBytes((1+len(d.Parents))*len(ID{}))
	return 4 + sizeBytes(header) + sizeBytes(SaltSize+len(d.Payload))
}

// Seal chains drafts after the author's last event (lastSeq 0: there is none, last is
// ignored), hashes them and signs once; all go into one batch. sign is given the bytes
// to sign and returns an Ed25519 signature by author. Errors wrap ErrForm or
// ErrTooLarge: a draft breaks a rule of the format. Drafts are not kept.
// spec: 03-events §6
func Seal(log LogID, author Author, lastSeq uint64, last ID, drafts []Draft, sign func([]byte) []byte) (*Batch, error) {
	if len(drafts) == 0 {
		return nil, fmt.Errorf("%w: nothing to seal", ErrForm)
	}
	if len(drafts) > MaxBatchEvents {
		return nil, fmt.Errorf("%w: more than %d events", ErrTooLarge, MaxBatchEvents)
	}
	s := sealer{hash: newHasher(), batch: &Batch{Events: make([]Event, len(drafts)), count: len(drafts)}}
	s.slab = make([]ID, 0, 2*len(drafts))
	if err := s.reserve(drafts); err != nil {
		return nil, err
	}
	for i := range drafts {
		e := &s.batch.Events[i]
		e.Header = Header{Version: Version, Log: log, Author: author, Seq: lastSeq + 1 + uint64(i)}
		if err := s.add(e, &drafts[i], last); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		last = e.ID
	}
	return s.finish(sign)
}

// sealer writes one payload from front to back: a place for the signature, then the
// events; the signature is filled in at the end.
type sealer struct {
	batch *Batch
	buf   []byte
	slab  []ID
	hash  *hasher
}

// reserve allocates the payload once and leaves the signature's place.
func (s *sealer) reserve(drafts []Draft) error {
	size := ackGap + sizeBytes(ed25519.SignatureSize)
	for i := range drafts {
		if n := len(drafts[i].Payload); n > MaxContent-SaltSize {
			return fmt.Errorf("event %d: %w: content of %d bytes", i, ErrTooLarge, n+SaltSize)
		}
		size += maxItem(&drafts[i])
	}
	s.buf = make([]byte, ackGap, size)
	s.buf = appendBytes(s.buf, fieldSignature, make([]byte, ed25519.SignatureSize))
	return nil
}

// add appends one event. Content is written first into its place, so that its hash can
// go into the header before it.
func (s *sealer) add(e *Event, d *Draft, prev ID) error {
	e.HLC, e.Kind, e.Expiry = d.HLC, d.Kind, d.Expiry
	e.ContentSize = uint32(SaltSize + len(d.Payload))
	if e.HLC == 0 || e.Kind == 0 || e.Expiry > maxMillis || e.Seq == 0 {
		return fmt.Errorf("%w: hlc, kind, expiry or seq out of range", ErrForm)
	}
	e.Parents = s.parents(e.Seq, prev, d.Parents)
	if err := e.checkParents(); err != nil {
		return err
	}
	header, content := e.size(), int(e.ContentSize)
	s.buf = append(s.buf, fieldEvents<<3|wireBytes)
	s.buf = appendLength(s.buf, sizeBytes(header)+sizeBytes(content))
	s.buf = append(s.buf, fieldItemHeader<<3|wireBytes)
	s.buf = appendLength(s.buf, header)
	from := len(s.buf)
	s.buf = s.buf[:from+header] // its place; within the reserve
	s.buf = append(s.buf, fieldItemContent<<3|wireBytes)
	s.buf = appendLength(s.buf, content)
	s.buf = append(s.buf, d.Salt[:]...)
	s.buf = append(s.buf, d.Payload...)
	e.Content = s.buf[len(s.buf)-content : len(s.buf) : len(s.buf)]
	e.ContentHash = s.hash.sum(domainContent, e.Content)
	e.Raw = e.append(s.buf[from : from : from+header])
	e.ID = s.hash.sum(domainEvent, e.Raw)
	return nil
}

// parents puts the previous event first and the heads after it in order, none twice.
func (s *sealer) parents(seq uint64, prev ID, heads []ID) []ID {
	start := len(s.slab)
	if seq > 1 {
		s.slab = append(s.slab, prev)
	}
	others := len(s.slab)
	for _, h := range heads {
		if seq == 1 || h != prev {
			s.slab = append(s.slab, h)
		}
	}
	slices.SortFunc(s.slab[others:], ID.Compare)
	s.slab = s.slab[:others+len(slices.Compact(s.slab[others:]))]
	return s.slab[start:len(s.slab):len(s.slab)]
}

// finish signs, fills the signature in and checks what the events owe each other.
func (s *sealer) finish(sign func([]byte) []byte) (*Batch, error) {
	b := s.batch
	b.payload = s.buf[ackGap:]
	if len(s.buf) > MaxBatchBytes {
		return nil, fmt.Errorf("%w: payload of %d bytes", ErrTooLarge, len(b.payload))
	}
	if err := b.checkOrder(); err != nil {
		return nil, err
	}
	msg := signedBytes(b.count, merkleRoot(b.Events))
	sig := sign(msg[:])
	if len(sig) != ed25519.SignatureSize {
		return nil, fmt.Errorf("%w: the signer gave %d bytes", ErrForm, len(sig))
	}
	b.sig = b.payload[2 : 2+ed25519.SignatureSize]
	copy(b.sig, sig)
	b.gap = s.buf
	return b, nil
}

// WantAck marks a batch that Seal has just made, before its payload is used: the sender
// asks connected members for acknowledgements. It does nothing to a decoded batch.
func (b *Batch) WantAck() {
	if b.gap == nil || b.AckWanted {
		return
	}
	const sigField = 2 + ed25519.SignatureSize
	copy(b.gap, b.payload[:sigField])
	b.gap[sigField], b.gap[sigField+1] = fieldFlags<<3|wireVarint, flagAckWanted
	b.payload, b.sig = b.gap, b.gap[2:sigField]
	b.AckWanted = true
}
