package node

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/strict"
)

// Limits of a network record, from the specification.
//
// spec: 01-network §5.2
const (
	maxRecord    = 4096 // bytes, signature included
	maxEpochs    = 16
	maxNameBytes = 256
	recordV1     = 0x0100 // major<<8 | minor
	recordV11    = 0x0101 // with registrars
	recordV12    = 0x0102 // with former ones
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
	Registrars   [][32]byte // raw Ed25519 keys of peers that may sign tickets, rising; from version 1.1 on
	Former       []Former   // who were registrars, rising; from version 1.2 on
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
	recRegistrars
	recFormer
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
	s := strict.Scanner{Rest: signed}
	body, sig := s.Bytes(1), s.Bytes(2)
	if s.Bad || len(s.Rest) > 0 || len(sig) != ed25519.SignatureSize {
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
	b := strict.AppendUint(nil, recVersion, r.Version)
	b = strict.AppendBytes(b, recNetwork, r.Network[:])
	b = strict.AppendBytes(b, recName, []byte(r.Name))
	b = strict.AppendUint(b, recMode, uint64(r.Mode))
	b = strict.AppendUint(b, recSequence, r.Sequence)
	if len(r.Epochs) > 0 {
		var packed []byte
		for _, e := range r.Epochs {
			packed = binary.AppendUvarint(packed, e)
		}
		b = strict.AppendBytes(b, recEpochs, packed)
	}
	if r.RegistrarSet > 0 {
		b = strict.AppendUint(b, recRegistrarSet, r.RegistrarSet)
	}
	b = strict.AppendUint(b, recWireMin, r.WireMin)
	b = strict.AppendUint(b, recWireMax, r.WireMax)
	if len(r.Registrars) > 0 {
		b = strict.AppendBytes(b, recRegistrars, slices.Concat(sliced(r.Registrars)...))
	}
	if len(r.Former) > 0 {
		b = strict.AppendBytes(b, recFormer, appendFormer(nil, r.Former))
	}
	return b
}

// decodeRecord accepts one encoding of each record. A higher minor version
// may have further fields after those known here, in rising order.
func decodeRecord(body []byte) (networkRecord, error) {
	s := strict.Scanner{Rest: body}
	r := networkRecord{Version: s.Uint(recVersion)}
	id := s.Bytes(recNetwork)
	name := s.Bytes(recName)
	mode := s.Uint(recMode)
	r.Sequence = s.Uint(recSequence)
	if s.Next(recEpochs) {
		r.Epochs = epochNumbers(&s)
	}
	if s.Next(recRegistrarSet) {
		r.RegistrarSet = s.Uint(recRegistrarSet)
		s.Bad = s.Bad || r.RegistrarSet == 0
	}
	r.WireMin, r.WireMax = s.Uint(recWireMin), s.Uint(recWireMax)
	if r.Version >= recordV11 && s.Next(recRegistrars) {
		r.Registrars = registrarKeys(&s)
	}
	if r.Version >= recordV12 && s.Next(recFormer) {
		r.Former = formerRegistrars(&s)
	}
	known := len(body) - len(s.Rest)
	if r.Version > recordV1 {
		s.SkipRising(r.lastField())
	}
	if s.Bad || len(s.Rest) > 0 || len(id) != len(r.Network) || mode > 255 {
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

// lastField is the highest that the record's version is known to have.
func (r *networkRecord) lastField() protowire.Number {
	if r.Version >= recordV12 {
		return recFormer
	}
	return recRegistrars
}

func epochNumbers(s *strict.Scanner) []uint64 {
	packed := s.Bytes(recEpochs)
	var numbers []uint64
	for len(packed) > 0 && len(numbers) <= maxEpochs {
		v, n := binary.Uvarint(packed)
		if n <= 0 {
			s.Bad = true
			return nil
		}
		numbers, packed = append(numbers, v), packed[n:]
	}
	s.Bad = s.Bad || len(numbers) == 0 || len(packed) > 0
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
	return r.checkRegistrars(bad)
}
