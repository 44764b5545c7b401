package reconcile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
)

// Item is one element of a set: an event's id and the whole second of its hlc.
type Item struct {
	Second uint64
	ID     [32]byte
}

// Compare orders items by (second, id).
func (i Item) Compare(o Item) int {
	return cmp.Or(cmp.Compare(i.Second, o.Second), bytes.Compare(i.ID[:], o.ID[:]))
}

// Infinity is the second of the bound behind all items.
const Infinity uint64 = math.MaxUint64

// Bound is a place between items: before every item that is not less than
// (Second, Prefix ‖ zeroes).
type Bound struct {
	Second uint64
	Prefix []byte // at most 32 bytes; empty with Infinity
}

// At returns the first bound of a second.
func At(second uint64) Bound { return Bound{Second: second} }

// Includes reports whether an item lies before the bound.
func (b Bound) Includes(i *Item) bool {
	if i.Second != b.Second {
		return i.Second < b.Second
	}
	var id [32]byte
	copy(id[:], b.Prefix)
	return bytes.Compare(i.ID[:], id[:]) < 0
}

// Sum is what fingerprints are made of: the number of ids in a range, and their
// sum as little-endian numbers modulo 2^256. The zero Sum is that of no items.
type Sum struct {
	Count uint64
	IDs   [4]uint64 // little-endian words
}

// Add counts one id in.
func (s *Sum) Add(id *[32]byte) {
	s.Count++
	var carry uint64
	for i := range s.IDs {
		s.IDs[i], carry = bits.Add64(s.IDs[i], binary.LittleEndian.Uint64(id[8*i:]), carry)
	}
}

// Remove takes one id out that was counted in.
func (s *Sum) Remove(id *[32]byte) {
	s.Count--
	var borrow uint64
	for i := range s.IDs {
		s.IDs[i], borrow = bits.Sub64(s.IDs[i], binary.LittleEndian.Uint64(id[8*i:]), borrow)
	}
}

// Merge counts another, disjoint range in.
func (s *Sum) Merge(o *Sum) {
	s.Count += o.Count
	var carry uint64
	for i := range s.IDs {
		s.IDs[i], carry = bits.Add64(s.IDs[i], o.IDs[i], carry)
	}
}

// Fingerprint is the first 16 bytes of SHA-256 over the sum (32 bytes,
// little-endian) and the count (a varint of this protocol).
func (s *Sum) Fingerprint() (f [16]byte) {
	b := make([]byte, 0, 32+10)
	for _, w := range s.IDs {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	h := sha256.Sum256(appendVarint(b, s.Count))
	copy(f[:], h[:])
	return f
}

// Set is a sorted set of items as a store gives it. Ranges are half open: from
// is within, to is not. It may change between calls; one round then finds less
// or more, and the next one the rest. Errors are the store's.
type Set interface {
	// Sum returns count and sum of the ids in a range.
	Sum(from, to Bound) (Sum, error)
	// Items returns the items of a range, ascending, at most limit of them.
	Items(from, to Bound, limit int) ([]Item, error)
	// Split returns up to n-1 ascending bounds within a range of more than one
	// item that divide it into up to n parts, none of them empty and none much
	// larger than the others as far as that is cheap to know. At least one.
	Split(from, to Bound, n int) ([]Bound, error)
	// Read returns how many items and sums were read for all this since it was
	// last called, each about 2 µs. Where items lie in memory many count as one.
	Read() int
}

// appendVarint writes a varint of the protocol: base 128, most significant
// digit first, the high bit set in all bytes but the last.
func appendVarint(b []byte, v uint64) []byte {
	for shift := (bits.Len64(v|1) - 1) / 7 * 7; shift > 0; shift -= 7 {
		b = append(b, byte(v>>shift)|0x80)
	}
	return append(b, byte(v)&0x7f)
}
