package node

import (
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// One UDP and one TCP port take every transport, and who comes over any of
// them is admitted.
func TestEveryTransportLeadsToAdmission(t *testing.T) {
	server := startNode(t, func(c *Config) { c.Listen = []ma.Multiaddr{} })
	port, err := freePort(net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := listenSomewhere(testContext(t), server.host, net.IPv4(127, 0, 0, 1), nil, port); err != nil {
		t.Fatal(err)
	}
	over := make(map[string]ma.Multiaddr)
	for _, a := range server.Addrs() {
		over[transportOf(a)] = a
	}
	for _, transport := range []string{"quic", "tcp", "ws", "webtransport", "webrtc"} {
		t.Run(transport, func(t *testing.T) {
			if over[transport] == nil {
				t.Fatalf("not among %v", server.Addrs())
			}
			n := startNode(t, func(c *Config) {
				c.Listen = []ma.Multiaddr{}
				c.Peers = []peer.AddrInfo{{ID: server.ID(), Addrs: []ma.Multiaddr{over[transport]}}}
			})
			waitAdmitted(t, n, server)
			if got := n.Peers()[0].Transport; got != transport {
				t.Errorf("came over %s", got)
			}
		})
	}
}

// Where both have TCP what is exchanged goes over it; where it does not get
// through, over QUIC.
func TestStreamsAreOnTCPUnlessItIsBlocked(t *testing.T) {
	const id = protocol.ID("/bulk/1.0.0")
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and nobody says a word
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	refusing, err := freePort(net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	server := startNode(t)
	server.Host().SetStreamHandler(id, func(s network.Stream) { _ = s.Close() })
	for name, test := range map[string]struct {
		tcp  string // in place of the server's
		want string
	}{
		"open":     {"", "tcp"},
		"silent":   {"/ip4/127.0.0.1/tcp/" + portOf(deaf.Addr()), "quic"},
		"refusing": {"/ip4/127.0.0.1/tcp/" + strconv.Itoa(refusing), "quic"},
	} {
		t.Run(name, func(t *testing.T) {
			to := infoOf(server)
			if test.tcp != "" {
				to.Addrs = slices.DeleteFunc(to.Addrs, func(a ma.Multiaddr) bool { return transportOf(a) != "quic" })
				to.Addrs = append(to.Addrs, ma.StringCast(test.tcp))
			}
			n := startNode(t, func(c *Config) {
				c.Peers = []peer.AddrInfo{to}
				if test.want == "tcp" { // however busy the machine is
					c.headStart = patience
				}
			})
			waitAdmitted(t, n, server)
			s, err := n.Host().NewStream(testContext(t), server.ID(), id)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Reset()
			if got := transportOf(s.Conn().RemoteMultiaddr()); got != test.want {
				t.Errorf("the stream is on %s", got)
			}
		})
	}
}

// Two nodes that dial each other at one moment may get two connections, and no
// more, whatever transports they have.
func TestAPairHasFewConnections(t *testing.T) {
	a := startNode(t, func(c *Config) { c.headStart = patience })
	b := startNode(t, func(c *Config) { c.headStart, c.Peers = patience, []peer.AddrInfo{infoOf(a)} })
	a.dialer.add(infoOf(b), fromConfig)
	waitAdmitted(t, a, b)
	waitAdmitted(t, b, a)
	for _, n := range []*Node{a, b} {
		conns := n.host.Network().Conns()
		if len(conns) > 2 {
			t.Errorf("%d connections: %v", len(conns), conns)
		}
		for _, c := range conns {
			if got := transportOf(c.RemoteMultiaddr()); got != "tcp" {
				t.Errorf("one over %s", got)
			}
		}
	}
}

func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}
