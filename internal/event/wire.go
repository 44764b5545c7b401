package event

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The strict form of protobuf: every number in its shortest varint, fields in rising
// order, none twice, no zero or empty value written. A proto3 library that writes
// fields in order produces it; this reader accepts nothing else. spec: 03-events §1.2

// Wire tags: field number<<3 | wire type.
const (
	wireVarint = 0
	wireBytes  = 2
)

// reader takes the fields of one message in order. The first fault sticks in err and
// everything after it reads as absent, so that callers look at err once, at the end.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrForm, fmt.Sprintf(format, args...))
		r.b = nil
	}
}

// has reports whether the next field is the one with this tag (below 128).
func (r *reader) has(tag byte) bool { return len(r.b) > 0 && r.b[0] == tag }

// varint reads a number in its shortest form.
func (r *reader) varint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := uint64(r.b[0])
		r.b = r.b[1:]
		return v
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.b[n-1] == 0 {
		r.fail("bad varint")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// number reads field num if it is next; an absent field is 0, a written 0 is refused.
func (r *reader) number(num int, limit uint64) uint64 {
	if !r.has(byte(num<<3 | wireVarint)) {
		return 0
	}
	r.b = r.b[1:]
	v := r.varint()
	if r.err == nil && (v == 0 || v > limit) {
		r.fail("field %d out of range", num)
		return 0
	}
	return v
}

// need is number for a field that must be there.
func (r *reader) need(num int, limit uint64) uint64 {
	v := r.number(num, limit)
	if v == 0 {
		r.fail("field %d missing", num)
	}
	return v
}

// bytes reads field num if it is next; an absent field is nil, an empty one refused.
func (r *reader) bytes(num int) []byte {
	if !r.has(byte(num<<3 | wireBytes)) {
		return nil
	}
	r.b = r.b[1:]
	return r.chunk(num)
}

// chunk reads a length and as many bytes.
func (r *reader) chunk(num int) []byte {
	n := r.varint()
	if r.err == nil && (n == 0 || n > uint64(len(r.b))) {
		r.fail("field %d: bad length", num)
	}
	if r.err != nil {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// fixed reads field num, which must be there with exactly 32 bytes.
func (r *reader) fixed(num int) (v [32]byte) {
	b := r.bytes(num)
	if len(b) != len(v) {
		r.fail("field %d is not 32 bytes", num)
		return v
	}
	return [32]byte(b)
}

// skip passes over fields numbered above last, in the same strict form.
func (r *reader) skip(last int) {
	prev := uint64(last)
	for len(r.b) > 0 {
		tag := r.varint()
		num := tag >> 3
		if num <= prev || num > uint64(protowire.MaxValidNumber) {
			r.fail("field %d out of order or unknown", num)
			return
		}
		prev = num
		switch tag & 7 {
		case wireVarint:
			if r.varint() == 0 {
				r.fail("field %d out of range", num)
			}
		case wireBytes:
			r.chunk(int(num))
		default:
			r.fail("field %d of unknown type", num)
		}
	}
}

// end refuses whatever is left, and returns the first fault.
func (r *reader) end() error {
	if len(r.b) > 0 {
		r.fail("unknown field or field out of order (tag %#x)", r.b[0])
	}
	return r.err
}

// appendNumber writes a number field; 0 writes nothing.
func appendNumber(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

// appendBytes writes a byte field; an empty one writes nothing.
func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

// appendLength writes a length; the caller has written the tag.
func appendLength(b []byte, n int) []byte { return protowire.AppendVarint(b, uint64(n)) }

// sizeNumber and sizeBytes are the lengths that the two append functions add.
func sizeNumber(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(v)
}

func sizeBytes(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}
