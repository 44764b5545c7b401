package dht

import (
	"testing"

	"github.com/parley-chat/parley/internal/wire"
)

func TestKeysNameNodes(t *testing.T) {
	id, _ := anna(1)
	key, err := peerKey(id)
	if err != nil {
		t.Fatal(err)
	}
	if back, ok := keyPeer(key); !ok || back != id {
		t.Errorf("%s became %v", key, back)
	}
}

// A zone's nodes share the first half of their addresses, and no others do.
func TestShortAddresses(t *testing.T) {
	a, b := wire.PeerID([32]byte{1}), wire.PeerID([32]byte{2})
	ward, office := ShortAddress("ward 3", a), ShortAddress("office", a)
	if ward>>32 != ShortAddress("ward 3", b)>>32 || ward>>32 == office>>32 {
		t.Error("the first half does not name the zone")
	}
	if uint32(ward) != uint32(office) || uint32(ward) == uint32(ShortAddress("ward 3", b)) {
		t.Error("the second half does not name the node")
	}
}

// Each node has one key.
func FuzzKeyPeer(f *testing.F) {
	id, _ := anna(1)
	key, err := peerKey(id)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key)
	f.Fuzz(func(t *testing.T, key string) {
		id, ok := keyPeer(key)
		if !ok {
			return
		}
		if back, err := peerKey(id); err != nil || back != key {
			t.Errorf("%q names %v, whose key is %q, %v", key, id, back, err)
		}
	})
}
