// Package strict reads and writes protobuf messages of which there is one form:
// fields in order, none twice, each known by its reader (03-events §1.2). Pure.
package strict

import "google.golang.org/protobuf/encoding/protowire"

// AppendUint writes a field, also one that is 0.
func AppendUint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// AppendBytes writes a field, also an empty one.
func AppendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// Scanner reads protobuf fields in order; any fault makes it bad, and a bad
// one yields nothing. Minimality is for its caller to check by re-encoding.
type Scanner struct {
	Rest []byte
	Bad  bool
}

// Next reports whether the next field has this number.
func (s *Scanner) Next(field protowire.Number) bool {
	num, _, n := protowire.ConsumeTag(s.Rest)
	return !s.Bad && n > 0 && num == field
}

func (s *Scanner) tag(field protowire.Number, want protowire.Type) bool {
	num, typ, n := protowire.ConsumeTag(s.Rest)
	if s.Bad || n < 0 || num != field || typ != want {
		s.Bad = true
		return false
	}
	s.Rest = s.Rest[n:]
	return true
}

// Uint reads this field, which must be a varint and next.
func (s *Scanner) Uint(field protowire.Number) uint64 {
	if !s.tag(field, protowire.VarintType) {
		return 0
	}
	v, n := protowire.ConsumeVarint(s.Rest)
	if n < 0 {
		s.Bad = true
		return 0
	}
	s.Rest = s.Rest[n:]
	return v
}

// Bytes reads this field, which must be of bytes and next.
func (s *Scanner) Bytes(field protowire.Number) []byte {
	if !s.tag(field, protowire.BytesType) {
		return nil
	}
	v, n := protowire.ConsumeBytes(s.Rest)
	if n < 0 {
		s.Bad = true
		return nil
	}
	s.Rest = s.Rest[n:]
	return v
}

// SkipRising skips unknown fields whose numbers rise from above last.
func (s *Scanner) SkipRising(last protowire.Number) {
	for len(s.Rest) > 0 && !s.Bad {
		num, typ, n := protowire.ConsumeField(s.Rest)
		if n < 0 || num <= last || (typ != protowire.VarintType && typ != protowire.BytesType) {
			s.Bad = true
			return
		}
		last, s.Rest = num, s.Rest[n:]
	}
}

// Fixed reads a field of exactly the size of into.
func (s *Scanner) Fixed(field protowire.Number, into []byte) {
	v := s.Bytes(field)
	if len(v) != len(into) {
		s.Bad = true
		return
	}
	copy(into, v)
}
