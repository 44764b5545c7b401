package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
	"github.com/parley-chat/parley/registrar"
	"github.com/parley-chat/parley/registrar/client"
)

// layout is a network whose machines crash, one after the other, without end.
type layout struct {
	*nodetest.Cluster
	t          *testing.T
	registrars int
	rng        *rand.Rand
	ms         []*chat.Messenger // by node; nil: it is down
	tried      int
	failed     []error
	said       map[string]bool // false: not everywhere
}

// desk is what runs on a node of a layout.
type desk struct {
	l *layout
	i int
	m *chat.Messenger
	r *registrar.Registrar // nil: none
}

func (d *desk) Close() error {
	d.l.ms[d.i] = nil
	if d.r == nil {
		return d.m.Close()
	}
	return errors.Join(d.r.Close(), d.m.Close())
}

func (l *layout) open(ctx context.Context, i int, n *node.Node) (_ io.Closer, err error) {
	d := &desk{l: l, i: i}
	if d.m, err = chat.Open(ctx, n, chat.Config{}); err != nil {
		return nil, err
	}
	if i < l.registrars {
		if d.r, err = registrar.Open(n, d.m, registrar.Config{}); err != nil {
			return nil, errors.Join(err, d.m.Close())
		}
	}
	if _, err := d.m.Join(ctx, "lobby"); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	l.ms[i] = d.m
	return d, nil
}

// say has each node that runs say something.
func (l *layout) say() {
	for i, m := range l.ms {
		if m == nil {
			continue
		}
		text := fmt.Sprintf("%d: %d", i, l.tried)
		l.tried++
		r, err := m.Room("lobby")
		if err == nil {
			_, err = r.Send(l.t.Context(), chat.Text(text))
		}
		if err != nil {
			l.failed = append(l.failed, err)
			continue
		}
		l.said[text] = false
	}
}

// crash kills a node that runs, and starts it again five seconds later.
func (l *layout) crash() {
	i := l.rng.IntN(len(l.ms))
	l.Kill(i)
	for range 5 {
		l.say()
		time.Sleep(time.Second)
	}
	l.Start(i)
}

// missing waits until what was said is at every node once, and returns how much
// of it is not.
func (l *layout) missing() (n int) {
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Second) {
		if n = l.lacking(); n == 0 {
			return 0
		}
	}
	return n
}

func (l *layout) lacking() (n int) {
	for i, m := range l.ms {
		r, err := m.Room("lobby")
		if err != nil {
			l.t.Fatal(err)
		}
		have := make(map[string]bool, len(l.said))
		for msg, err := range r.History(l.t.Context(), chat.Query{}) {
			if err != nil {
				l.t.Fatal(err)
			}
			if have[msg.Text] {
				l.t.Errorf("node %d has %q twice", i, msg.Text)
			}
			have[msg.Text] = true
		}
		for text := range l.said {
			if !have[text] {
				n++
			}
		}
	}
	return n
}

// TestCrashLoops has every layout of registrars and members crash one machine
// after the other while all that run send. LAYOUTS=all takes those of the table
// in docs/performance.md, for as long as it takes to try 10,000 sends, or 200
// crashes; else it is a small one.
func TestCrashLoops(t *testing.T) {
	type size struct{ registrars, members, crashes int }
	sizes := []size{{3, 2, 6}}
	if testing.Short() { // under the race detector
		sizes[0].crashes = 3
	}
	if os.Getenv("LAYOUTS") == "all" {
		sizes = nil
		for _, members := range []int{0, 50} {
			for _, registrars := range []int{1, 3, 15} {
				sizes = append(sizes, size{registrars, members, min(200, 1+10_000/(5*(registrars+members)))})
			}
		}
	}
	for _, s := range sizes {
		t.Run(fmt.Sprintf("%d registrars, %d members", s.registrars, s.members), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := s.registrars + s.members
				l := &layout{
					t: t, registrars: s.registrars, rng: rand.New(rand.NewPCG(1, uint64(n))),
					ms: make([]*chat.Messenger, n), said: make(map[string]bool),
				}
				l.Cluster = nodetest.New(t, nodetest.Config{
					N: n, Registrars: s.registrars, App: l.open,
					Configure: func(_ int, c *node.Config) { c.Admitter = client.Admitter{} },
				})
				time.Sleep(time.Minute)
				for range s.crashes {
					l.crash()
				}
				lost := l.missing()
				t.Logf("%d crashes: %d of %d sends failed, %d deliveries of %d are missing",
					s.crashes, len(l.failed), l.tried, lost, len(l.said)*n)
				if len(l.failed) > 0 || lost > 0 {
					t.Errorf("not everything was sent and delivered: %v", l.failed)
				}
			})
		})
	}
}
