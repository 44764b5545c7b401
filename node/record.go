package node

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Limits of a network record, from the specification.
//
// spec: 01-network §5.2
const (
	maxRecord    = 4096 // bytes, signature included
	maxEpochs    = 16
	maxNameBytes = 256
	recordV1     = 0x0100 // major<<8 | minor
	recordDomain = "parley/network/1"
)

// networkRecord is what a closed network's root says about it. Every admitted
// peer serves the newest one it has, verbatim as the root signed it.
type networkRecord struct {
	Version      uint64   // of this format, major<<8 | minor
	Network      [32]byte // the root's public key
	Name         string
	Mode         Mode     // ModeSecret or ModeCertified
	Sequence     uint64   // from 1; a higher one replaces a lower
	Epochs       []uint64 // numbers of the secret epochs accepted now, rising
	RegistrarSet uint64   // version of the registrar set, 0 = none
	WireMin      uint64   // wire versions spoken here, major<<8 | minor
	WireMax      uint64
}

// Field numbers of the record; never reused.
const (
	recVersion = iota + 1
	recNetwork
	recName
	recMode
	recSequence
	recEpochs
	recRegistrarSet
	recWireMin
	recWireMax
)

// signRecord encodes and signs a record with the network's root key.
//
// spec: 01-network §5
func signRecord(r networkRecord, root ed25519.PrivateKey) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	body := r.encode()
	sig := ed25519.Sign(root, append([]byte(recordDomain), body...))
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, body)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendBytes(b, sig), nil
}

// verifyRecord decodes a signed record, strictly, and checks that the
// root of network signed it. The error is always ErrNetworkRecord.
func verifyRecord(signed []byte, network [32]byte) (networkRecord, error) {
	if len(signed) > maxRecord {
		return networkRecord{}, ErrNetworkRecord.Withf("a network record of %d bytes", len(signed))
	}
	s := scanner{rest: signed}
	body, sig := s.bytes(1), s.bytes(2)
	if s.bad || len(s.rest) > 0 || len(sig) != ed25519.SignatureSize {
		return networkRecord{}, ErrNetworkRecord.Withf("the network record is not in strict form")
	}
	r, err := decodeRecord(body)
	if err != nil {
		return networkRecord{}, err
	}
	if r.Network != network {
		return networkRecord{}, ErrNetworkRecord.Withf("the network record is of another network")
	}
	if !ed25519.Verify(network[:], append([]byte(recordDomain), body...), sig) {
		return networkRecord{}, ErrNetworkRecord.Withf("the network record is not signed by the network's root")
	}
	return r, nil
}

func (r *networkRecord) encode() []byte {
	b := appendUint(nil, recVersion, r.Version)
	b = appendBytes(b, recNetwork, r.Network[:])
	b = appendBytes(b, recName, []byte(r.Name))
	b = appendUint(b, recMode, uint64(r.Mode))
	b = appendUint(b, recSequence, r.Sequence)
	if len(r.Epochs) > 0 {
		var packed []byte
		for _, e := range r.Epochs {
			packed = binary.AppendUvarint(packed, e)
		}
		b = appendBytes(b, recEpochs, packed)
	}
	if r.RegistrarSet > 0 {
		b = appendUint(b, recRegistrarSet, r.RegistrarSet)
	}
	b = appendUint(b, recWireMin, r.WireMin)
	return appendUint(b, recWireMax, r.WireMax)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// decodeRecord accepts one encoding of each record. A higher minor version
// may have further fields after those known here, in rising order.
func decodeRecord(body []byte) (networkRecord, error) {
	s := scanner{rest: body}
	r := networkRecord{Version: s.uint(recVersion)}
	id := s.bytes(recNetwork)
	name := s.bytes(recName)
	mode := s.uint(recMode)
	r.Sequence = s.uint(recSequence)
	if s.next(recEpochs) {
		r.Epochs = epochNumbers(&s)
	}
	if s.next(recRegistrarSet) {
		r.RegistrarSet = s.uint(recRegistrarSet)
		s.bad = s.bad || r.RegistrarSet == 0
	}
	r.WireMin, r.WireMax = s.uint(recWireMin), s.uint(recWireMax)
	known := len(body) - len(s.rest)
	if r.Version > recordV1 {
		s.skipRising(recWireMax)
	}
	if s.bad || len(s.rest) > 0 || len(id) != len(r.Network) || mode > 255 {
		return networkRecord{}, ErrNetworkRecord.Withf("the network record is not in strict form")
	}
	r.Network, r.Name, r.Mode = [32]byte(id), string(name), Mode(mode)
	if err := r.check(); err != nil {
		return networkRecord{}, err
	}
	if !bytes.Equal(r.encode(), body[:known]) { // tags and varints that are not minimal
		return networkRecord{}, ErrNetworkRecord.Withf("the network record is not in strict form")
	}
	return r, nil
}

func epochNumbers(s *scanner) []uint64 {
	packed := s.bytes(recEpochs)
	var numbers []uint64
	for len(packed) > 0 && len(numbers) <= maxEpochs {
		v, n := binary.Uvarint(packed)
		if n <= 0 {
			s.bad = true
			return nil
		}
		numbers, packed = append(numbers, v), packed[n:]
	}
	s.bad = s.bad || len(numbers) == 0 || len(packed) > 0
	return numbers
}

// check holds what both the root and a reader must keep to.
func (r *networkRecord) check() error {
	bad := func(format string, args ...any) error {
		return ErrNetworkRecord.Withf("the network record has %s", fmt.Sprintf(format, args...))
	}
	if r.Version>>8 != recordV1>>8 || r.Version < recordV1 {
		return bad("the unknown version %d.%d", r.Version>>8, r.Version&0xff)
	}
	if name, err := networkName(r.Name); err != nil || name != r.Name || len(name) > maxNameBytes {
		return bad("a name that cannot be one")
	}
	if !r.Mode.hasRoot() {
		return bad("the mode %v", r.Mode)
	}
	if r.Sequence == 0 || r.WireMin == 0 || r.WireMin > r.WireMax {
		return bad("sequence %d, wire versions %d to %d", r.Sequence, r.WireMin, r.WireMax)
	}
	if len(r.Epochs) > maxEpochs || r.Mode == ModeSecret && len(r.Epochs) == 0 {
		return bad("%d epochs in mode %v", len(r.Epochs), r.Mode)
	}
	last := uint64(0)
	for _, e := range r.Epochs {
		if e <= last {
			return bad("epochs that do not rise")
		}
		last = e
	}
	return nil
}

// scanner reads protobuf fields in order; any fault makes it bad, and a bad
// one yields nothing. Minimality is for its caller to check by re-encoding.
type scanner struct {
	rest []byte
	bad  bool
}

// next reports whether the next field has this number.
func (s *scanner) next(field protowire.Number) bool {
	num, _, n := protowire.ConsumeTag(s.rest)
	return !s.bad && n > 0 && num == field
}

func (s *scanner) tag(field protowire.Number, want protowire.Type) bool {
	num, typ, n := protowire.ConsumeTag(s.rest)
	if s.bad || n < 0 || num != field || typ != want {
		s.bad = true
		return false
	}
	s.rest = s.rest[n:]
	return true
}

func (s *scanner) uint(field protowire.Number) uint64 {
	if !s.tag(field, protowire.VarintType) {
		return 0
	}
	v, n := protowire.ConsumeVarint(s.rest)
	if n < 0 {
		s.bad = true
		return 0
	}
	s.rest = s.rest[n:]
	return v
}

func (s *scanner) bytes(field protowire.Number) []byte {
	if !s.tag(field, protowire.BytesType) {
		return nil
	}
	v, n := protowire.ConsumeBytes(s.rest)
	if n < 0 {
		s.bad = true
		return nil
	}
	s.rest = s.rest[n:]
	return v
}

// skipRising skips unknown fields whose numbers rise from above last.
func (s *scanner) skipRising(last protowire.Number) {
	for len(s.rest) > 0 && !s.bad {
		num, typ, n := protowire.ConsumeField(s.rest)
		if n < 0 || num <= last || (typ != protowire.VarintType && typ != protowire.BytesType) {
			s.bad = true
			return
		}
		last, s.rest = num, s.rest[n:]
	}
}
