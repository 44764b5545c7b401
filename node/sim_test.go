package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/testnet"
)

// The tests of this file run whole nodes on a simulated network in fake time.

// inBubble runs f in fake time on a simulated network.
func inBubble(t *testing.T, cfg testnet.Config, f func(t *testing.T, net *testnet.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := testnet.New(cfg)
		t.Cleanup(net.Close)
		t.Cleanup(func() { time.Sleep(time.Second) }) // the hosts' farewells are carried
		f(t, net)
	})
}

// simNode starts host i of the network as a node.
func simNode(t *testing.T, net *testnet.Net, i int, change ...func(*Config)) *Node {
	t.Helper()
	sim := func(c *Config) { c.Listen, c.Libp2p = nil, net.Options(i) }
	return startNode(t, append([]func(*Config){sim}, change...)...)
}

// waitGone waits until n has lost p.
func waitGone(t *testing.T, n *Node, p peer.ID) {
	t.Helper()
	for c := range n.Watch(testContext(t)) {
		if c.ID == p && !c.Admitted {
			return
		}
	}
	t.Fatalf("%v was not lost", p)
}

// QUIC alone takes about 40 s to notice that a peer is gone without a word.
func TestADeadPeerIsNoticedWithinThreeSeconds(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, b := simNode(t, net, 0), simNode(t, net, 1)
		b.dialer.add(peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()}, fromConfig)
		waitAdmitted(t, a, b)
		waitAdmitted(t, b, a)
		time.Sleep(1234 * time.Millisecond) // fake: somewhere between two pings
		begin := time.Now()
		net.Cut(1, true)
		waitGone(t, a, b.ID())
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("noticed after %v", took)
		}
		net.Cut(1, false)
		waitAdmitted(t, a, b)
		waitAdmitted(t, b, a)
		gossips(t, a, b, "again")
	})
}
