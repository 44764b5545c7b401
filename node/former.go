package node

import (
	"encoding/binary"
	"slices"

	"github.com/parley-chat/parley/internal/strict"
)

// Former was a registrar of the network. Of what it wrote into the registry,
// that counts which stands at Seq or before; at Seq that is the event ID. Seq 0:
// nothing.
//
// spec: 01-network §5.2
type Former struct {
	Key [32]byte // raw Ed25519 key
	Seq uint64
	ID  [32]byte
}

const (
	formerSize = 32 + 8 + 32
	maxFormer  = 32 // with maxRegistrars and the rest they fit a record
)

// Former lists who were registrars of the network, in order of their keys.
func (f *NetworkFile) Former() []Former { return f.record().Former }

func appendFormer(b []byte, all []Former) []byte {
	for i := range all {
		b = append(b, all[i].Key[:]...)
		b = binary.BigEndian.AppendUint64(b, all[i].Seq)
		b = append(b, all[i].ID[:]...)
	}
	return b
}

func formerRegistrars(s *strict.Scanner) (all []Former) {
	packed := s.Bytes(recFormer)
	if len(packed) == 0 || len(packed)%formerSize != 0 || len(packed) > maxFormer*formerSize {
		s.Bad = true
		return nil
	}
	for b := range slices.Chunk(packed, formerSize) {
		all = append(all, Former{[32]byte(b[:32]), binary.BigEndian.Uint64(b[32:40]), [32]byte(b[40:])})
	}
	return all
}

func (r *networkRecord) checkFormer(bad func(format string, args ...any) error) error {
	if len(r.Former) > maxFormer {
		return bad("%d former registrars, at most %d are allowed", len(r.Former), maxFormer)
	}
	if len(r.Former) > 0 && r.Version < recordV12 {
		return bad("former registrars in the version %d.%d", r.Version>>8, r.Version&0xff)
	}
	for i := range r.Former {
		if i > 0 && compareKeys(r.Former[i-1].Key, r.Former[i].Key) >= 0 {
			return bad("former registrars that do not rise")
		}
		if slices.Contains(r.Registrars, r.Former[i].Key) {
			return bad("a registrar that is a former one too")
		}
	}
	return nil
}

// retire puts a registrar among the former ones, or takes it out when it is one
// again.
func (r *networkRecord) retire(who Former, back bool) error {
	at, found := slices.BinarySearchFunc(r.Former, who.Key, func(f Former, key [32]byte) int { return compareKeys(f.Key, key) })
	r.Former = slices.Clone(r.Former)
	switch {
	case back && found:
		r.Former = slices.Delete(r.Former, at, at+1)
	case back:
	case len(r.Former) == maxFormer:
		return ErrRegistrar.Withf("the network has had %d registrars before, which is the most", maxFormer)
	default:
		r.Former = slices.Insert(r.Former, at, who)
		r.Version = max(r.Version, recordV12)
	}
	return nil
}
