package node

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/pbnjay/memory"
)

// open opens inbound connections from one address until one is refused, at
// most n, and returns how many there are.
func open(t *testing.T, l limits, addr string, n int) int {
	t.Helper()
	rm, err := l.resourceManager(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rm.Close() })
	for i := range n {
		scope, err := rm.OpenConnection(network.DirInbound, true, ma.StringCast(addr))
		if err != nil {
			return i
		}
		// The handshake is done: it is no longer transient.
		if err := scope.SetPeer(peer.ID("peer " + strconv.Itoa(i))); err != nil {
			return i
		}
	}
	return n
}

// libp2p's own limits are 8 connections an address and one new one in 5 s. A
// classroom behind one address starts at once.
func TestAClassroomBehindOneAddressConnects(t *testing.T) {
	for name, l := range map[string]limits{"site": siteLimits(), "light": lightLimits()} {
		for _, addr := range []string{"/ip4/192.0.2.1/tcp/7330", "/ip6/2001:db8::1/tcp/7330"} {
			if got := open(t, l, addr, 60); got != 60 {
				t.Errorf("%s, %s: %d of 60 connected", name, addr, got)
			}
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	for name, l := range map[string]limits{"site": siteLimits(), "light": lightLimits()} {
		if got := open(t, l, "/ip4/192.0.2.1/tcp/7330", l.perAddress+1); got != l.perAddress {
			t.Errorf("%s: one address has %d connections, want %d", name, got, l.perAddress)
		}
		if got := open(t, l, "/ip4/127.0.0.1/tcp/7330", 3*l.conns); got != l.connsInbound {
			t.Errorf("%s: %d inbound connections, want %d", name, got, l.connsInbound)
		}
	}
}

// Five hundred members behind one address come at once, greet, are asked about
// themselves and the network, compare their rooms: each has a dozen streams then,
// for which the multiplexer of TCP reserves memory.
func TestASiteBehindOneAddressHasItsStreams(t *testing.T) {
	const members, streams, reserved = 500, 12, 256 << 10
	l := siteLimits()
	if memory.TotalMemory()/4 < members*streams*reserved {
		t.Skip("this machine has little memory, so the limit is lower")
	}
	rm, err := l.resourceManager(false)
	if err != nil {
		t.Fatal(err)
	}
	defer rm.Close()
	h := &halved{rm, func(peer.ID) bool { return true }, l.streams() / 2}
	for i := range members {
		c, err := h.OpenConnection(network.DirInbound, true, ma.StringCast("/ip4/192.0.2.1/tcp/7330"))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		p := peer.ID("peer " + strconv.Itoa(i))
		if err := c.SetPeer(p); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		span, err := c.PeerScope().BeginSpan()
		if err != nil {
			t.Fatal(err)
		}
		for s := range streams {
			if err := span.ReserveMemory(reserved, network.ReservationPriorityAlways); err != nil {
				t.Fatalf("stream %d of member %d: %v", s, i, err)
			}
			if _, err := h.OpenStream(p, network.DirInbound); err != nil {
				t.Fatalf("stream %d of member %d: %v", s, i, err)
			}
		}
	}
}

// Connections that never finish their handshake must not keep others out.
func TestHalfOpenConnectionsOfOneAddressLeaveRoom(t *testing.T) {
	for name, l := range map[string]limits{"site": siteLimits(), "light": lightLimits()} {
		rm, err := l.resourceManager(false)
		if err != nil {
			t.Fatal(err)
		}
		defer rm.Close()
		for range 2 * l.perAddress {
			_, _ = rm.OpenConnection(network.DirInbound, true, ma.StringCast("/ip4/192.0.2.1/tcp/7330"))
		}
		if _, err := rm.OpenConnection(network.DirInbound, true, ma.StringCast("/ip4/192.0.2.2/tcp/7330")); err != nil {
			t.Errorf("%s: another address is kept out: %v", name, err)
		}
	}
}

func TestNewConnectionsAreLimitedByAddress(t *testing.T) {
	rate := siteLimits().connRate()
	flood, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	allowed := 0
	for range 10_000 {
		if rate.Allow(flood) {
			allowed++
		}
	}
	if allowed < 60 || allowed > 2*siteLimits().newBurst {
		t.Errorf("%d of 10,000 were let in at once", allowed)
	}
	if !rate.Allow(other) {
		t.Error("another address is locked out")
	}
}

func TestMemoryShareIsBounded(t *testing.T) {
	if got := memoryShare(1 << 50); got >= 1<<50 || got < 64<<20 {
		t.Errorf("%d bytes", got)
	}
	if got := memoryShare(1); got != 64<<20 {
		t.Errorf("%d bytes, want at least 64 MiB", got)
	}
}
