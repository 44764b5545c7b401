package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// patience is how long a test on real sockets waits for what should take
// milliseconds: this machine may be busy.
const patience = 30 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// loopback are addresses for a node that only this machine reaches.
func loopback() []ma.Multiaddr {
	return []ma.Multiaddr{
		ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1"),
		ma.StringCast("/ip4/127.0.0.1/tcp/0"),
		ma.StringCast("/ip4/127.0.0.1/tcp/0/ws"),
	}
}

// startNode starts a node on loopback, without multicast; change may alter its
// configuration. It is closed with the test.
func startNode(t *testing.T, change ...func(*Config)) *Node {
	t.Helper()
	cfg := Config{Dir: t.TempDir(), Listen: loopback(), NoMDNS: true}
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, f := range change {
		f(&cfg)
	}
	n, err := Start(testContext(t), cfg)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return n
}

func infoOf(n *Node) peer.AddrInfo { return peer.AddrInfo{ID: n.ID(), Addrs: n.Addrs()} }

// peersOf makes a node dial others.
func peersOf(others ...*Node) func(*Config) {
	return func(c *Config) {
		for _, o := range others {
			c.Peers = append(c.Peers, infoOf(o))
		}
	}
}

// waitAdmitted waits until n has admitted every other, or fails the test.
func waitAdmitted(t *testing.T, n *Node, others ...*Node) {
	t.Helper()
	missing := map[peer.ID]bool{}
	for _, o := range others {
		missing[o.ID()] = true
	}
	ctx := testContext(t)
	for c := range n.Watch(ctx) {
		if c.Admitted {
			delete(missing, c.ID)
		}
		if len(missing) == 0 {
			return
		}
	}
	t.Fatalf("%v was not admitted by %v: %v", slices.Collect(mapKeys(missing)), n.ID(), n.Status())
}

func mapKeys(m map[peer.ID]bool) func(func(peer.ID) bool) {
	return func(yield func(peer.ID) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// subscribe joins a topic.
func subscribe(t *testing.T, n *Node, name string) (*pubsub.Topic, *pubsub.Subscription) {
	t.Helper()
	topic, err := n.PubSub().Join(name)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := topic.Subscribe(pubsub.WithBufferSize(gossipQueue))
	if err != nil {
		t.Fatal(err)
	}
	return topic, sub
}

// gossips checks that a message published at a reaches b. It is published
// until it does: a subscription may not have crossed yet.
func gossips(t *testing.T, a, b *Node, name string) {
	t.Helper()
	topic, _ := subscribe(t, a, name)
	_, sub := subscribe(t, b, name)
	ctx := testContext(t)
	got := make(chan error, 1)
	go func() {
		_, err := sub.Next(ctx)
		got <- err
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ { // a payload seen before would go nowhere
		if err := topic.Publish(ctx, fmt.Appendf(nil, "%s %d", name, i)); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-got:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("no message came through")
		}
	}
}

func TestTwoNodesOfTheOpenNetworkAdmitEachOtherAndGossip(t *testing.T) {
	a := startNode(t)
	b := startNode(t, peersOf(a))
	waitAdmitted(t, a, b)
	waitAdmitted(t, b, a)
	gossips(t, a, b, "one")
	gossips(t, b, a, "two")
	if got := a.Network().Name; got != defaultNetwork {
		t.Errorf("network %q", got)
	}
}

func TestStartRefusesADirectoryInUse(t *testing.T) {
	a := startNode(t)
	_, err := Start(testContext(t), Config{Dir: a.Dir(), Listen: loopback(), NoMDNS: true})
	if !errors.Is(err, ErrDirBusy) {
		t.Fatalf("got %v, want ErrDirBusy", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := Start(testContext(t), Config{Dir: a.Dir(), Listen: loopback(), NoMDNS: true})
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEveryTransportCarriesANode(t *testing.T) {
	a := startNode(t)
	for _, addr := range a.Addrs() {
		name := transportOf(addr)
		t.Run(name, func(t *testing.T) {
			b := startNode(t, func(c *Config) { c.Peers = []peer.AddrInfo{{ID: a.ID(), Addrs: []ma.Multiaddr{addr}}} })
			waitAdmitted(t, b, a)
			waitAdmitted(t, a, b)
			if got := b.Peers(); len(got) != 1 || got[0].Transport != name || !got[0].Addrs[0].Equal(addr) {
				t.Errorf("peers %+v, want one over %s", got, name)
			}
			gossips(t, a, b, "over "+name)
		})
	}
}
