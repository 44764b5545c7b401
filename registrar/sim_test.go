package registrar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
	"github.com/parley-chat/parley/registrar/client"
	"github.com/parley-chat/parley/registrar/internal/directory"
)

// country is a certified network on a simulated one, with registrars, the first nodes.
type country struct {
	*nodetest.Cluster
	t          *testing.T
	registrars int
	offices    []*Registrar // by node, as of its last start
}

func newCountry(t *testing.T, registrars, nodes int, zones map[int]string) *country {
	t.Helper()
	c := &country{t: t, registrars: registrars, offices: make([]*Registrar, registrars)}
	c.Cluster = nodetest.New(t, nodetest.Config{
		N: registrars + nodes, Registrars: registrars, App: c.open,
		Configure: func(i int, n *node.Config) { n.Admitter, n.Zone, n.Version = client.Admitter{}, zones[i], "v1" },
	})
	c.WaitAdmitted(2 * time.Minute)
	return c
}

// staff are a registrar and the messenger below it.
type staff struct {
	*Registrar
	chat *chat.Messenger
}

func (s staff) Close() error { return errors.Join(s.Registrar.Close(), s.chat.Close()) }

func (c *country) open(ctx context.Context, i int, n *node.Node) (io.Closer, error) {
	if i >= c.registrars {
		return io.NopCloser(nil), nil
	}
	m, err := chat.Open(ctx, n, chat.Config{})
	if err != nil {
		return nil, err
	}
	r, err := Open(n, m, Config{})
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	c.offices[i] = r
	return staff{r, m}, nil
}

// at is what the directory of registrar i has of a peer.
func (c *country) at(i int, p peer.ID) directory.Node {
	for _, n := range c.offices[i].directory.Nodes() {
		if n.ID == p {
			return n
		}
	}
	return directory.Node{}
}

// agree waits until all running registrars have all nodes online.
func (c *country) agree(d time.Duration) {
	c.t.Helper()
	c.Wait(d, "all directories have all nodes online", func() error {
		for i := range c.registrars {
			if c.Nodes[i] == nil {
				continue
			}
			for j, n := range c.Nodes {
				if n != nil && c.at(i, n.ID()).State != directory.Online {
					return fmt.Errorf("registrar %d has node %d as %+v", i, j, c.at(i, n.ID()))
				}
			}
		}
		return nil
	})
}

// reportsTo is the number of the registrar that node i reports to, as registrar at says.
func (c *country) reportsTo(at, i int) int {
	to := c.at(at, c.Nodes[i].ID()).Registrar
	for j := range c.registrars {
		if c.Nodes[j] != nil && c.Nodes[j].ID() == to {
			return j
		}
	}
	return -1
}

// spec: 11-registrars M19, M22, M23
func TestRegistrarsKnowAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 3, 5, map[int]string{0: "roof", 1: "cellar", 2: "cellar", 3: "roof", 4: "roof", 5: "roof", 6: "cellar"})
		c.agree(20 * time.Second)
		for i := 3; i < 8; i++ {
			n := c.at(0, c.Nodes[i].ID())
			if n.Zone != c.Nodes[i].Zone() || n.Version != "v1" || n.IsRegistrar || len(n.Addrs) == 0 {
				t.Errorf("node %d is known as %+v", i, n)
			}
		}
		for i := range 3 {
			if n := c.at(2, c.Nodes[i].ID()); !n.IsRegistrar || n.Registrar != n.ID {
				t.Errorf("registrar %d is known as %+v", i, n)
			}
		}
		// The node that was found first may not have been of the own zone; that is put right.
		time.Sleep(2 * lookEvery)
		for i := 3; i < 7; i++ {
			to := c.reportsTo(0, i)
			if to < 0 || c.Nodes[to].Zone() != c.Nodes[i].Zone() {
				t.Errorf("node %d, in the zone %s, reports to %d", i, c.Nodes[i].Zone(), to)
			}
		}
	})
}

const lookEvery = 11 * time.Second

// One packet in ten is lost, for minutes, and nobody is called dead who lives.
//
// spec: 11-registrars M19
func TestLossIsNoDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 3, 6, nil)
		c.agree(20 * time.Second)
		c.SetLoss(0.1)
		span := 6 * time.Minute
		if testing.Short() {
			span = 2 * time.Minute
		}
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		var suspects, offline atomic.Int32
		var wg sync.WaitGroup
		for _, r := range c.offices {
			wg.Go(func() {
				w := r.directory.Watch()
				for {
					nodes, _, err := w.Next(ctx)
					if err != nil {
						return
					}
					for _, n := range nodes {
						switch n.State {
						case directory.Suspect:
							suspects.Add(1)
						case directory.Offline:
							offline.Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
		t.Logf("in %v, 9 nodes at 3 registrars, 10 %% loss: %d times suspect, %d times offline", span, suspects.Load(), offline.Load())
		if offline.Load() > 0 {
			t.Error("somebody was called dead")
		}
	})
}

// A node that dies without a word is offline within 5 s at each registrar, and who
// watches is told.
//
// spec: 11-registrars M19
func TestADeadNodeIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 3, 2, nil)
		c.agree(20 * time.Second)
		dead := c.Nodes[3].ID()
		took := make(chan time.Duration, 3)
		begin := time.Now()
		for i := range 3 {
			go func() {
				_ = c.offices[i].WatchDirectory(t.Context(), true, func(nodes []*v1.NodeEntry, _ bool) error {
					for _, n := range nodes {
						if n.GetPeerId() == dead.String() && n.GetState() == v1.NodeState_NODE_STATE_OFFLINE {
							took <- time.Since(begin)
							return errors.New("enough")
						}
					}
					return nil
				})
			}()
		}
		c.Kill(3)
		for range 3 {
			d := <-took
			t.Logf("offline after %v", d)
			if d > 5*time.Second {
				t.Error("too late")
			}
		}
		if n := c.at(0, c.Nodes[4].ID()); n.State != directory.Online {
			t.Errorf("the other is %v", n.State)
		}
	})
}

// A registrar dies, silently or by a crash that its connections tell of, and who
// reported to it reports to another within 5 s, without having been called dead. When it
// is back it has its share again.
//
// spec: 11-registrars M24, M25
func TestFailOverAndBack(t *testing.T) {
	for name, end := range map[string]func(*country, int){
		"silently": func(c *country, i int) { c.Kill(i) },
		"in order": func(c *country, i int) { c.Stop(i) },
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "silently" {
				t.Skip("slow under the race detector; make check runs it")
			}
			synctest.Test(t, func(t *testing.T) { failOver(t, end) })
		})
	}
}

func failOver(t *testing.T, end func(*country, int)) {
	const registrars, nodes = 3, 9
	c := newCountry(t, registrars, nodes, nil)
	c.agree(20 * time.Second)
	time.Sleep(2 * lookEvery)
	before := c.spread(0)
	dead := 1
	if before[2] > before[1] {
		dead = 2
	}
	alive := 3 - dead
	id := c.Nodes[dead].ID()
	var moved []peer.ID
	for i := registrars; i < registrars+nodes; i++ {
		if c.reportsTo(0, i) == dead {
			moved = append(moved, c.Nodes[i].ID())
		}
	}
	if len(moved) == 0 {
		t.Fatalf("nobody reports to %d: %v", dead, before)
	}
	begin := time.Now()
	end(c, dead)
	for _, at := range []int{0, alive} {
		c.Wait(5*time.Second, "who reported to the dead one reports to another", func() error {
			for _, p := range moved {
				if n := c.at(at, p); n.Registrar == id {
					return fmt.Errorf("%v is %+v", p, n)
				} else if n.State == directory.Offline {
					t.Errorf("%v was called dead", p)
				}
			}
			return nil
		})
		t.Logf("registrar %d knows of it after %v", at, time.Since(begin))
	}
	time.Sleep(10 * time.Second)
	c.Start(dead)
	c.Wait(time.Minute, "it has its share again", func() error {
		if now := c.spread(0); now[dead] < before[dead] {
			return fmt.Errorf("spread %v, before %v", now, before)
		}
		return nil
	})
	c.agree(20 * time.Second)
	t.Logf("spread %v, %v again %v after the death", before, c.spread(dead), time.Since(begin))
}

// spread is how many nodes report to each registrar, as registrar at says.
func (c *country) spread(at int) []int {
	out := make([]int, c.registrars)
	for i := c.registrars; i < len(c.Nodes); i++ {
		if to := c.reportsTo(at, i); to >= 0 {
			out[to]++
		}
	}
	return out
}

// Who watches through its node goes on at the next registrar when the one that tells
// dies.
func TestAWatchGoesOnAtAnotherRegistrar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 3, 2, nil)
		c.agree(20 * time.Second)
		watcher, other := c.Nodes[3], c.Nodes[4].ID()
		states := make(chan v1.NodeState, 100)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			err := client.Directory{Node: watcher}.WatchDirectory(ctx, true, func(nodes []*v1.NodeEntry, _ bool) error {
				for _, n := range nodes {
					if n.GetPeerId() == other.String() {
						states <- n.GetState()
					}
				}
				return nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("ended: %v", err)
			}
		})
		if s := <-states; s != v1.NodeState_NODE_STATE_ONLINE {
			t.Errorf("at first %v", s)
		}
		for i := range 2 { // one of them was telling, or the third always is
			c.Kill(i)
			time.Sleep(20 * time.Second)
		}
		for len(states) > 0 {
			<-states
		}
		c.Kill(4)
		for s := range states {
			if s == v1.NodeState_NODE_STATE_OFFLINE {
				break
			}
		}
		cancel()
		wg.Wait()
		c.Kill(2)
		time.Sleep(10 * time.Second)
		err := client.Directory{Node: watcher}.WatchDirectory(t.Context(), true, func([]*v1.NodeEntry, bool) error { return nil })
		if !errors.Is(err, client.ErrNoneAnswers) {
			t.Errorf("when all are gone: %v", err)
		}
	})
}

// Whom a registrar revokes is revoked in each directory, and its heartbeats are refused.
func TestTheRevokedAreInNoDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 2, 2, nil)
		c.agree(20 * time.Second)
		gone := c.Nodes[2].ID()
		if _, err := c.offices[0].Revoke(t.Context(), gone, "lost"); err != nil {
			t.Fatal(err)
		}
		c.Wait(5*time.Second, "both say that it is revoked", func() error {
			for i := range 2 {
				if n := c.at(i, gone); n.State != directory.Revoked {
					return fmt.Errorf("registrar %d has %+v", i, n)
				}
			}
			return nil
		})
		time.Sleep(time.Minute)
		if n := c.at(1, gone); n.State != directory.Revoked || time.Since(n.LastSeen) < 50*time.Second {
			t.Errorf("later %+v", n)
		}
		if n := c.at(1, c.Nodes[3].ID()); n.State != directory.Online {
			t.Errorf("the other is %+v", n)
		}
	})
}

// A registrar that ends in order tells the others, who need not wait for its silence.
func TestARegistrarSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 2, 0, nil)
		c.agree(20 * time.Second)
		id := c.Nodes[1].ID()
		c.Stop(1)
		if n := c.at(0, id); n.State != directory.Offline {
			t.Errorf("known as %+v", n)
		}
		c.Start(1)
		c.agree(20 * time.Second)
	})
}
