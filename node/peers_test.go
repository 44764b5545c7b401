package node

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// An inbound TCP connection comes from a port on which nobody listens: who
// copies it as an address to dial gets nowhere.
func TestPeersAreShownWhereTheyListen(t *testing.T) {
	a := startNode(t)
	b := startNode(t, func(c *Config) { c.Peers = []peer.AddrInfo{only(a, "tcp")} })
	waitAdmitted(t, a, b)
	waitAdmitted(t, b, a)
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(a.Peers()) == 0 || len(a.Peers()[0].Addrs) < len(b.Addrs()) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("a sees %+v", a.Peers())
		}
	}
	if got := a.Peers()[0]; got.Transport != "tcp" || !sameAddrs(got.Addrs, b.Addrs()) {
		t.Errorf("a sees %v over %s, want %v", got.Addrs, got.Transport, b.Addrs())
	}
	if got := b.Peers()[0]; got.Transport != "tcp" || !got.Addrs[0].Equal(only(a, "tcp").Addrs[0]) {
		t.Errorf("b sees %v over %s, want first what it dialled", got.Addrs, got.Transport)
	}
}

func sameAddrs(a, b []ma.Multiaddr) bool {
	return slices.EqualFunc(shownAddrs(a), shownAddrs(b), ma.Multiaddr.Equal)
}

type connTo struct {
	network.Conn
	remote ma.Multiaddr
	dir    network.Direction
}

func (c connTo) RemoteMultiaddr() ma.Multiaddr { return c.remote }
func (c connTo) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Direction: c.dir}}
}

func addrsOf(texts ...string) (out []ma.Multiaddr) {
	for _, s := range texts {
		out = append(out, ma.StringCast(s))
	}
	return out
}

func TestTheAddressInUseIsShownFirst(t *testing.T) {
	listen := addrsOf("/ip4/10.0.0.1/tcp/7330", "/ip4/10.0.0.1/udp/7330/quic-v1")
	for name, c := range map[string]struct {
		remote string
		dir    network.Direction
		want   []ma.Multiaddr
	}{
		"inbound, from nowhere": {"/ip4/10.0.0.1/tcp/51402", network.DirInbound, listen},
		"inbound, from there":   {"/ip4/10.0.0.1/udp/7330/quic-v1", network.DirInbound, []ma.Multiaddr{listen[1], listen[0]}},
		"outbound":              {"/ip4/10.0.0.1/udp/7330/quic-v1", network.DirOutbound, []ma.Multiaddr{listen[1], listen[0]}},
		"outbound, not told":    {"/ip4/10.9.9.9/tcp/1", network.DirOutbound, append(addrsOf("/ip4/10.9.9.9/tcp/1"), listen...)},
	} {
		if got := reachedAt(connTo{nil, ma.StringCast(c.remote), c.dir}, listen); !slices.EqualFunc(got, c.want, ma.Multiaddr.Equal) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// What a member says it listens on is remembered and dialled: it is bounded.
func TestAddressesOfOnePeerAreBounded(t *testing.T) {
	told := addrsOf("/unix/tmp/x", "/dns4/example.org/tcp/1", "/ip4/127.0.0.1/tcp/1")
	for i := range 1000 {
		told = append(told, ma.StringCast("/ip4/10.0.0.1/tcp/"+strconv.Itoa(i+1)))
	}
	got := usefulAddrs(connTo{nil, ma.StringCast("/ip4/10.0.0.1/tcp/51402"), network.DirInbound}, told)
	if len(got) != maxPeerAddrs || !got[0].Equal(told[3]) {
		t.Errorf("%d addresses, first %v", len(got), got[0])
	}
}
