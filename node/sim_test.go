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

// A hello that takes seconds must end with gossip working on both sides: early
// streams are held, not reset.
func TestASlowHelloEndsWithGossip(t *testing.T) {
	for _, latency := range []time.Duration{300 * time.Millisecond, 850 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			inBubble(t, testnet.Config{Latency: latency}, func(t *testing.T, net *testnet.Net) {
				a := simNode(t, net, 0)
				b := simNode(t, net, 1, peersOf(a))
				waitAdmitted(t, a, b)
				waitAdmitted(t, b, a)
				gossips(t, a, b, "one")
				gossips(t, b, a, "two")
			})
		})
	}
}

func TestFlapsEndWithGossip(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a := simNode(t, net, 0)
		b := simNode(t, net, 1, peersOf(a))
		waitAdmitted(t, b, a)
		for i := range 10 {
			_ = a.host.Network().ClosePeer(b.ID())
			time.Sleep(time.Duration(i*i) * 20 * time.Millisecond)
			_ = b.host.Connect(t.Context(), peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()})
		}
		time.Sleep(10 * time.Second)
		gossips(t, a, b, "one")
		gossips(t, b, a, "two")
	})
}

func TestAPartitionHeals(t *testing.T) {
	inBubble(t, testnet.Config{Loss: 0.02}, func(t *testing.T, net *testnet.Net) {
		nodes := []*Node{simNode(t, net, 0)}
		for i := 1; i < 6; i++ {
			nodes = append(nodes, simNode(t, net, i, peersOf(nodes...)))
		}
		for i, n := range nodes {
			for j, o := range nodes {
				if i != j {
					waitAdmitted(t, n, o)
				}
			}
		}
		net.Partition([]int{0, 1, 2}, []int{3, 4, 5})
		time.Sleep(4 * time.Second)
		for i, n := range nodes {
			if got := len(n.Peers()); got != 2 {
				t.Errorf("node %d has %d peers in a partition of three", i, got)
			}
		}
		time.Sleep(5 * time.Minute)
		net.Heal()
		time.Sleep(80 * time.Second) // the dialer's longest wait
		for _, n := range nodes[:3] {
			waitAdmitted(t, n, nodes[3:]...)
		}
		gossips(t, nodes[0], nodes[5], "x")
	})
}

func TestARestartedNodeFindsItsPeersAgain(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a := simNode(t, net, 0)
		b := simNode(t, net, 1, peersOf(a))
		waitAdmitted(t, a, b)
		waitAdmitted(t, b, a)
		time.Sleep(time.Second)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		again := simNode(t, net, 1, func(c *Config) { c.Dir = b.Dir() }) // told of nobody
		if again.ID() != b.ID() {
			t.Fatal("another identity")
		}
		waitAdmitted(t, again, a)
		waitAdmitted(t, a, again)
		gossips(t, a, again, "x")
	})
}

func TestWatchTellsComingsAndGoings(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a := simNode(t, net, 0)
		b := simNode(t, net, 1, peersOf(a))
		var got []bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for c := range a.Watch(t.Context()) {
				if c.ID == b.ID() {
					got = append(got, c.Admitted)
				}
			}
		}()
		time.Sleep(5 * time.Second)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err := a.Close(); err != nil { // ends the watch
			t.Fatal(err)
		}
		<-done
		if len(got) != 2 || !got[0] || got[1] {
			t.Errorf("told %v, want admitted and gone", got)
		}
	})
}
