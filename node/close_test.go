package node

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// All methods may be called from anywhere while the node closes, and afterwards.
func TestEverythingMayBeCalledWhileClosing(t *testing.T) {
	a := startNode(t)
	for range 3 {
		n := startNode(t, peersOf(a))
		use := func() {
			_, _, _, _ = n.Status(), n.Peers(), n.Network(), n.Addrs()
			_, _, _ = n.Err(), n.ID(), n.Sign([]byte("x"))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, _ = n.Host().NewStream(ctx, a.ID(), aboutProtocol(a.Network().Tag))
			_ = n.Host().Connect(ctx, infoOf(a))
			n.noteSkew(a.ID(), 0)
			n.dialer.add(peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()}, fromDiscovery)
			if topic, err := n.PubSub().Join("x"); err == nil {
				_ = topic.Publish(ctx, []byte("x"))
			}
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(use)
			wg.Go(func() {
				if err := n.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			wg.Go(func() {
				for range n.Watch(t.Context()) { // which ends with the node
				}
			})
		}
		wg.Wait()
		use()
		if err := n.Ready(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Ready after Close: %v", err)
		}
	}
}

// A start that is given up at any moment says why and leaves the directory free.
func TestAStartThatIsGivenUpLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := Config{Dir: dir, Listen: loopback(), NoMDNS: true}
	if _, err := Start(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v", err)
	}
	var steps int
	for {
		steps++
		n, err := Start(&countdown{Context: t.Context(), left: steps}, cfg)
		if err == nil {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("given up after %d looks: %v", steps, err)
		}
	}
	if steps < 5 {
		t.Errorf("Start looked at its context %d times", steps)
	}
}

// countdown is a context that ends when it was asked that often.
type countdown struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (c *countdown) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}
