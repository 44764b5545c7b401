package nodetest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/parley-chat/parley/node"
)

func TestNodesAdmitEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(t, Config{N: 4, Loss: 0.05, Latency: 20 * time.Millisecond})
		c.WaitAdmitted(time.Minute)
		for i, n := range c.Nodes {
			if _, err := os.Stat(filepath.Join(c.Dir(i), "identity.key")); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
			if got := len(n.Peers()); got != 3 {
				t.Errorf("node %d has %d peers, want 3", i, got)
			}
		}
	})
}

func TestTwoNetworksDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(t, Config{N: 4, Configure: func(i int, cfg *node.Config) {
			if i >= 2 {
				cfg.Network.Name = "other"
			}
		}})
		pairs := func() error {
			for i, n := range c.Nodes {
				partner := c.Nodes[i^1].ID()
				if p := n.Peers(); len(p) != 1 || p[0].ID != partner {
					return errors.New("not just its partner")
				}
			}
			return nil
		}
		c.Wait(time.Minute, "each has its partner alone", pairs)
		time.Sleep(time.Minute)
		if err := pairs(); err != nil {
			t.Error(err)
		}
	})
}

func TestPartitionKillRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(t, Config{N: 3})
		c.WaitAdmitted(time.Minute)
		id := func(i int) peer.ID { return c.Nodes[i].ID() }

		c.Partition([]int{0, 1}, []int{2})
		c.WaitGone(10*time.Second, 2, id(0), id(1))
		c.WaitGone(10*time.Second, 0, id(2))
		c.WaitAdmitted(time.Second) // 0 and 1 kept each other
		c.Heal()
		c.WaitAdmitted(2 * time.Minute)

		killed := id(1)
		c.Kill(1)
		c.WaitGone(10*time.Second, 0, killed)
		c.Start(1)
		if id(1) != killed {
			t.Error("a node that starts again has another identity")
		}
		c.WaitAdmitted(2 * time.Minute)

		c.Restart(0)
		c.WaitAdmitted(2 * time.Minute)
		if n := c.Add(); n != 3 {
			t.Errorf("the fourth node has number %d", n)
		}
		c.WaitAdmitted(time.Minute)
	})
}

// An app is opened after each start of its node and closed before the node.
func TestAppFollowsItsNode(t *testing.T) {
	var log []string
	synctest.Test(t, func(t *testing.T) {
		c := New(t, Config{N: 1, App: func(_ context.Context, _ int, n *node.Node) (io.Closer, error) {
			log = append(log, "open")
			return closer(func() error {
				select {
				case <-n.Done():
					log = append(log, "close too late")
				default:
					log = append(log, "close")
				}
				return nil
			}), nil
		}})
		c.Restart(0)
		c.Kill(0)
		c.Start(0)
	})
	want := []string{"open", "close", "open", "close", "open", "close"}
	if len(log) != len(want) {
		t.Fatalf("got %v, want %v", log, want)
	}
	for i := range want {
		if log[i] != want[i] {
			t.Fatalf("got %v, want %v", log, want)
		}
	}
}

type closer func() error

func (c closer) Close() error { return c() }

// What stays behind after the nodes is found, or else nobody would know why a bubble never ends.
func TestLeaksAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Cluster{before: goroutines()}
		if left := c.leaked(); left != nil {
			t.Errorf("found without a leak: %v", left)
		}
		end, ended := make(chan struct{}), make(chan struct{})
		go func() {
			<-end
			close(ended)
		}()
		synctest.Wait()
		if left := c.leaked(); len(left) != 1 {
			t.Errorf("one goroutine is left, found %d", len(left))
		}
		close(end)
		<-ended
		c.checkLeaks()
	})
}
