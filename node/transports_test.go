package node

import (
	"net"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
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
