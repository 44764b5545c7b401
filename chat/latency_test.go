package chat_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// listen notes when each text reaches node i, until the test's end.
func (p *party) listen(i int) (heard func(text string) (time.Time, bool)) {
	var mu sync.Mutex
	at := make(map[string]time.Time)
	go func() { // ends with the messenger
		for u := range p.ms[i].Updates(context.Background(), 0) {
			if added, ok := u.(chat.MessageAdded); ok {
				mu.Lock()
				at[added.Message.Text] = time.Now()
				mu.Unlock()
			}
		}
	}()
	return func(text string) (time.Time, bool) {
		mu.Lock()
		defer mu.Unlock()
		when, ok := at[text]
		return when, ok
	}
}

// Two nodes meet that never heard of each other. What was said before, and
// what is said before gossip has a mesh, is there soon nevertheless.
func TestTheFirstMessagesOfStrangersAreQuick(t *testing.T) {
	for offset := time.Duration(0); offset < time.Second; offset += 190 * time.Millisecond {
		for _, waiting := range []bool{false, true} { // the second is in the room before they meet
			t.Run(fmt.Sprint(offset, waiting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { strangersTalk(t, offset, waiting) })
			})
		}
	}
}

func strangersTalk(t *testing.T, offset time.Duration, waiting bool) {
	p := gather(t, 1, nodetest.Config{})
	p.join(0, "lobby")
	p.say(0, "lobby", "before")
	time.Sleep(offset) // heartbeats stand differently
	if waiting {
		p.Partition([]int{0}, []int{1})
	}
	p.Add()
	p.join(1, "lobby")
	if waiting {
		time.Sleep(3 * time.Second)
		p.Heal()
	}
	heard := p.listen(1)
	p.Wait(time.Minute, "they meet", func() error {
		if len(p.Nodes[0].Peers()) == 0 {
			return errors.New("nobody is there")
		}
		return nil
	})
	said := map[string]time.Time{"before": time.Now()}
	for i := range 20 {
		text := fmt.Sprint(i)
		said[text] = time.Now()
		p.say(0, "lobby", text)
		time.Sleep(75 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	for text, then := range said {
		now, ok := heard(text)
		if took := now.Sub(then); !ok || took > 1500*time.Millisecond {
			t.Errorf("%q: heard %v, took %v", text, ok, took)
		}
	}
}

// deaf is a Discovery that finds nobody.
type deaf struct{}

func (deaf) Run(ctx context.Context, _ node.DiscoverySelf, _ func(peer.AddrInfo)) error {
	<-ctx.Done()
	return nil
}

func (deaf) Status() node.DiscoveryStatus { return node.DiscoveryStatus{} }

// In a star the hub's mesh has no place for all leaves: the others hear by
// gossip of what there is, and by signals.
func TestAllLeavesOfAStarHear(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	synctest.Test(t, func(t *testing.T) {
		const leaves = 12
		p := star(t, leaves)
		var heard []func(string) (time.Time, bool)
		for i := range leaves + 1 {
			p.join(i, "lobby")
			heard = append(heard, p.listen(i))
		}
		time.Sleep(20 * time.Second)
		var took []time.Duration
		for from := range leaves + 1 {
			text, then := fmt.Sprint(from), time.Now()
			p.say(from, "lobby", text)
			time.Sleep(10*time.Second + time.Duration(from)*37*time.Millisecond)
			for i := range heard {
				now, ok := heard[i](text)
				if !ok {
					t.Fatalf("node %d has not heard %d", i, from)
				}
				if i != from {
					took = append(took, now.Sub(then))
				}
			}
		}
		slices.Sort(took)
		t.Logf("half heard within %v, all within %v", took[len(took)/2], took[len(took)-1])
	})
}

// star is a party whose node 0 is all that the leaves know.
func star(t *testing.T, leaves int) (p *party) {
	t.Helper()
	p = gather(t, 1, nodetest.Config{Configure: func(i int, c *node.Config) {
		c.Discovery = deaf{}
		if i > 0 {
			c.Peers = []peer.AddrInfo{{ID: p.Nodes[0].ID(), Addrs: []multiaddr.Multiaddr{p.Addr(0)}}}
		}
	}})
	for range leaves {
		p.Add()
	}
	p.Wait(time.Minute, "the hub admits all", func() error {
		if got := len(p.Nodes[0].Peers()); got != leaves {
			return fmt.Errorf("%d of %d", got, leaves)
		}
		return nil
	})
	return p
}
