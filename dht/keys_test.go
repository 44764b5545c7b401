package dht

import (
	"slices"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

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

func TestWhatIsDialledIsAnAddress(t *testing.T) {
	addrs := func(texts ...string) (out []ma.Multiaddr) {
		for _, a := range texts {
			out = append(out, ma.StringCast(a))
		}
		return out
	}
	loopback, name, far := "/ip4/127.0.0.1/udp/1/quic-v1", "/dns4/example.org/udp/1/quic-v1", "/ip6/fd00::1/tcp/1"
	for _, c := range []struct{ in, want []ma.Multiaddr }{
		{addrs(loopback, name, far), addrs(far)},
		{addrs(loopback, name), addrs(loopback)},
		{addrs(name), nil},
		{nil, nil},
	} {
		if got := dialable(c.in); !slices.EqualFunc(got, c.want, ma.Multiaddr.Equal) {
			t.Errorf("of %v %v is dialled", c.in, got)
		}
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
