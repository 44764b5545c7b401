package node

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/strict"
	"github.com/parley-chat/parley/internal/wire"
)

// maxRegistrars bounds a network's registrar set.
//
// spec: 01-network §5.2
const maxRegistrars = 32

// registrarKeys reads the keys of the registrar set, one behind the other.
func registrarKeys(s *strict.Scanner) (keys [][32]byte) {
	packed := s.Bytes(recRegistrars)
	if len(packed) == 0 || len(packed)%32 != 0 || len(packed) > maxRegistrars*32 {
		s.Bad = true
		return nil
	}
	for key := range slices.Chunk(packed, 32) {
		keys = append(keys, [32]byte(key))
	}
	return keys
}

func sliced(keys [][32]byte) (out [][]byte) {
	for i := range keys {
		out = append(out, keys[i][:])
	}
	return out
}

func compareKeys(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }

func (r *networkRecord) checkRegistrars(bad func(format string, args ...any) error) error {
	switch {
	case len(r.Registrars) > maxRegistrars:
		return bad("%d registrars, at most %d are allowed", len(r.Registrars), maxRegistrars)
	case len(r.Registrars) > 0 && (r.Version < recordV11 || r.RegistrarSet == 0):
		return bad("registrars, but no version of their set")
	}
	for i := 1; i < len(r.Registrars); i++ {
		if compareKeys(r.Registrars[i-1], r.Registrars[i]) >= 0 {
			return bad("registrars that do not rise")
		}
	}
	return r.checkFormer(bad)
}

// record is what the root said last; zero where nothing is known of it.
func (f *NetworkFile) record() networkRecord {
	if len(f.Record) == 0 {
		return networkRecord{}
	}
	s := strict.Scanner{Rest: f.Record}
	r, _ := decodeRecord(s.Bytes(1)) // was verified when it was taken over
	return r
}

// Registrars are the peers that the network's root made registrars, in order of
// their keys, and the version of that set; none and 0 where there are none.
func (f *NetworkFile) Registrars() (set []peer.ID, version uint64) {
	r := f.record()
	for _, key := range r.Registrars {
		set = append(set, wire.PeerID(key))
	}
	return set, r.RegistrarSet
}

// isRegistrar reports whether the root made the peer with this key a registrar.
func (f *NetworkFile) isRegistrar(key [32]byte) bool {
	_, found := slices.BinarySearchFunc(f.record().Registrars, key, compareKeys)
	return found
}

// AddRegistrar makes a peer a registrar of the network in dir and signs the new
// record with its root key. One that is in the set is left there, and the file as
// it is. Errors: ErrRootKey, ErrRegistrar, and those of LoadNetwork.
func AddRegistrar(dir string, p peer.ID) (*NetworkFile, error) {
	key, err := wire.Author(p)
	if err != nil {
		return nil, ErrRegistrar.Withf("the peer ID %v has no Ed25519 key", p)
	}
	return changeRegistrars(dir, Former{Key: key}, true, func(set [][32]byte) ([][32]byte, error) {
		at, found := slices.BinarySearchFunc(set, key, compareKeys)
		switch {
		case found:
			return set, nil
		case len(set) == maxRegistrars:
			return nil, ErrRegistrar.Withf("the network has %d registrars, which is the most", maxRegistrars)
		}
		return slices.Insert(slices.Clone(set), at, key), nil
	})
}

// RemoveRegistrar takes a peer out of the registrar set: tickets that it signed
// count no more, and what it wrote into the registry counts up to the event id,
// its seq-th there; 0: none does. Errors: as AddRegistrar; ErrRegistrar too if it
// is not in the set.
func RemoveRegistrar(dir string, p peer.ID, seq uint64, id [32]byte) (*NetworkFile, error) {
	key, _ := wire.Author(p)
	return changeRegistrars(dir, Former{key, seq, id}, false, func(set [][32]byte) ([][32]byte, error) {
		at, found := slices.BinarySearchFunc(set, key, compareKeys)
		if !found {
			return nil, ErrRegistrar.Withf("%v is not a registrar of the network", p)
		}
		return slices.Delete(slices.Clone(set), at, at+1), nil
	})
}

func changeRegistrars(dir string, who Former, back bool, change func([][32]byte) ([][32]byte, error)) (*NetworkFile, error) {
	return signAnew(dir, func(f *NetworkFile, r *networkRecord) (*NetworkFile, error) {
		set, err := change(r.Registrars)
		if err != nil || len(set) == len(r.Registrars) {
			return f, err
		}
		r.Registrars, r.Version = set, max(r.Version, recordV11)
		r.RegistrarSet++
		return f, r.retire(who, back)
	})
}

// Certify makes a closed network with a root certified: members are admitted by a
// registrar's ticket. Its secrets stay accepted beside it until finish is set, so
// that who has one can go on until it has registered. Errors: ErrRootKey,
// ErrRegistrar where there are no registrars, and those of LoadNetwork.
func Certify(dir string, finish bool) (*NetworkFile, error) {
	return signAnew(dir, func(f *NetworkFile, r *networkRecord) (*NetworkFile, error) {
		if len(r.Registrars) == 0 {
			return nil, ErrRegistrar.Withf("the network has no registrars").WithDo("add one first, with parley registrars add PEER")
		}
		r.Mode = ModeCertified
		if finish {
			r.Epochs = nil
		}
		return f, nil
	})
}
