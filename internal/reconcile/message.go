package reconcile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Spec constants of Negentropy protocol v1. spec: 06-sync §3
const (
	version = 0x61 // first byte of every message

	modeSkip        = 0 // nothing is said of the range
	modeFingerprint = 1 // 16 bytes follow
	modeIDs         = 2 // a count and as many ids follow

	idSize          = 32
	fingerprintSize = 16
)

// maxRanges bounds the ranges of one message, those that are skipped too.
const maxRanges = 4096

// What is wrong with a message. spec: 06-sync §3
var (
	ErrForm    = errors.New("reconciliation message malformed")
	ErrVersion = errors.New("reconciliation protocol not known to the peer")
)

// Compare orders bounds.
func (b Bound) Compare(o Bound) int {
	if c := cmp.Compare(b.Second, o.Second); c != 0 {
		return c
	}
	var x, y [idSize]byte
	copy(x[:], b.Prefix)
	copy(y[:], o.Prefix)
	return bytes.Compare(x[:], y[:])
}

// between returns the shortest bound after one item and not after the next.
func between(before, next *Item) Bound {
	if before.Second != next.Second {
		return At(next.Second)
	}
	n := 0
	for n < idSize-1 && before.ID[n] == next.ID[n] {
		n++
	}
	return Bound{next.Second, slices.Clone(next.ID[:n+1])}
}

// encoder writes a message.
type encoder struct {
	b    []byte
	last uint64 // second of the bound before
}

func newEncoder() encoder { return encoder{b: []byte{version}} }

// bound writes the upper bound of a range. Bounds ascend.
func (e *encoder) bound(b Bound) {
	if b.Second == Infinity {
		e.b = append(e.b, 0, 0)
		return
	}
	e.b = appendVarint(e.b, b.Second-e.last+1)
	e.last = b.Second
	e.b = append(e.b, byte(len(b.Prefix)))
	e.b = append(e.b, b.Prefix...)
}

func (e *encoder) skip(to Bound) {
	e.bound(to)
	e.b = append(e.b, modeSkip)
}

func (e *encoder) fingerprint(to Bound, s *Sum) {
	e.bound(to)
	f := s.Fingerprint()
	e.b = append(append(e.b, modeFingerprint), f[:]...)
}

func (e *encoder) ids(to Bound, items []Item) {
	e.bound(to)
	e.b = appendVarint(append(e.b, modeIDs), uint64(len(items)))
	for i := range items {
		e.b = append(e.b, items[i].ID[:]...)
	}
}

// part is a range of a message as it was read. It shares the message's memory.
type part struct {
	from, to    Bound
	mode        byte
	fingerprint []byte
	ids         []byte // n × 32 bytes
}

// decode reads a whole message: ranges ascend, none is empty, none follows the
// one that ends at infinity.
func decode(msg []byte) ([]part, error) {
	if len(msg) == 0 || msg[0] != version {
		return nil, fmt.Errorf("%w: version", ErrForm)
	}
	d := decoder{b: msg[1:]}
	var parts []part
	for len(d.b) > 0 {
		if len(parts) == maxRanges {
			return nil, fmt.Errorf("%w: more than %d ranges", ErrForm, maxRanges)
		}
		p, ok := d.part()
		if !ok {
			return nil, fmt.Errorf("%w: range %d", ErrForm, len(parts))
		}
		if p.from.Compare(p.to) >= 0 {
			return nil, fmt.Errorf("%w: range %d does not ascend", ErrForm, len(parts))
		}
		parts = append(parts, p)
	}
	return parts, nil
}

type decoder struct {
	b    []byte
	last uint64
	from Bound
}

func (d *decoder) part() (p part, ok bool) {
	p.from = d.from
	if p.to, ok = d.bound(); !ok {
		return p, false
	}
	d.from = p.to
	mode, ok := d.varint()
	if !ok || mode > modeIDs {
		return p, false
	}
	switch p.mode = byte(mode); p.mode {
	case modeFingerprint:
		p.fingerprint, ok = d.bytes(fingerprintSize)
	case modeIDs:
		var n uint64
		if n, ok = d.varint(); !ok || n > uint64(len(d.b)/idSize) {
			return p, false
		}
		p.ids, ok = d.bytes(int(n) * idSize)
	}
	return p, ok
}

func (d *decoder) bound() (b Bound, ok bool) {
	delta, ok := d.varint()
	if !ok {
		return b, false
	}
	size, ok := d.varint()
	if !ok || size > idSize {
		return b, false
	}
	if b.Prefix, ok = d.bytes(int(size)); !ok {
		return b, false
	}
	if delta == 0 {
		b.Second = Infinity
		return b, size == 0
	}
	b.Second = d.last + delta - 1
	if b.Second < d.last || b.Second == Infinity {
		return b, false
	}
	d.last = b.Second
	return b, true
}

func (d *decoder) bytes(n int) (b []byte, ok bool) {
	if n > len(d.b) {
		return nil, false
	}
	b, d.b = d.b[:n:n], d.b[n:]
	return b, true
}

// varint reads a varint that is written as short as can be.
func (d *decoder) varint() (v uint64, ok bool) {
	for i, c := range d.b {
		if v>>57 != 0 || i == 0 && c == 0x80 {
			return 0, false
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			d.b = d.b[i+1:]
			return v, true
		}
	}
	return 0, false
}
