package chat_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// party is a cluster with a messenger on each node.
type party struct {
	*nodetest.Cluster
	t    *testing.T
	ms   []*chat.Messenger
	regs []*prometheus.Registry
	keep map[int]chat.Retention // of node i, from its next start on
	bare int                    // this node runs without a messenger; 0: none
}

// gather starts n nodes with messengers, the nick of node i being "nick<i>",
// and waits until all have admitted each other.
func gather(t *testing.T, n int, cfg nodetest.Config) *party {
	t.Helper()
	return gatherBut(t, n, 0, cfg)
}

// gatherBut is gather with one node that has no messenger.
func gatherBut(t *testing.T, n, bare int, cfg nodetest.Config) *party {
	t.Helper()
	p := &party{
		t: t, ms: make([]*chat.Messenger, n+16), regs: make([]*prometheus.Registry, n+16), bare: bare,
	}
	cfg.N = n
	cfg.App = p.open
	p.Cluster = nodetest.New(t, cfg)
	p.WaitAdmitted(2 * time.Minute)
	return p
}

func (p *party) open(ctx context.Context, i int, n *node.Node) (io.Closer, error) {
	if i == p.bare && i != 0 {
		return io.NopCloser(nil), nil
	}
	p.regs[i] = prometheus.NewRegistry()
	m, err := chat.Open(ctx, n, chat.Config{Nick: fmt.Sprintf("nick%d", i), Retention: p.keep[i], Registerer: p.regs[i]})
	p.ms[i] = m
	return m, err
}

// metric returns a counter of node i; label, if not empty, is its one label's
// value.
func (p *party) metric(i int, name, label string) int {
	p.t.Helper()
	families, err := p.regs[i].Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label == "" || m.GetLabel()[0].GetValue() == label {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// gauge returns a gauge of node i.
func (p *party) gauge(i int, name string) int {
	p.t.Helper()
	families, err := p.regs[i].Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return 0
}

func (p *party) join(i int, name string) *chat.Room {
	p.t.Helper()
	r, err := p.ms[i].Join(p.t.Context(), name)
	if err != nil {
		p.t.Fatalf("node %d joins %q: %v", i, name, err)
	}
	return r
}

func (p *party) say(i int, name, text string) chat.ID {
	p.t.Helper()
	r, err := p.ms[i].Room(name)
	if err != nil {
		p.t.Fatal(err)
	}
	id, err := r.Send(p.t.Context(), chat.Text(text))
	if err != nil {
		p.t.Fatalf("node %d says %q: %v", i, text, err)
	}
	return id
}

// history returns what node i sees in a room.
func (p *party) history(i int, name string, q chat.Query) []chat.Message {
	p.t.Helper()
	r, err := p.ms[i].Room(name)
	if err != nil {
		p.t.Fatal(err)
	}
	var out []chat.Message
	for msg, err := range r.History(p.t.Context(), q) {
		if err != nil {
			p.t.Fatalf("history of node %d: %v", i, err)
		}
		out = append(out, msg)
	}
	return out
}

func texts(msgs []chat.Message) []string {
	var out []string
	for _, m := range msgs {
		out = append(out, m.Text)
	}
	return out
}

// waitTexts waits until node i sees these texts in a room, in any order.
func (p *party) waitTexts(d time.Duration, i int, name string, want ...string) {
	p.t.Helper()
	want = slices.Sorted(slices.Values(want))
	p.Wait(d, fmt.Sprintf("node %d has %d messages", i, len(want)), func() error {
		got := slices.Sorted(slices.Values(texts(p.history(i, name, chat.Query{}))))
		if !slices.Equal(got, want) {
			return fmt.Errorf("node %d has %d of %d: %.200q", i, len(got), len(want), got)
		}
		return nil
	})
}

// waitSame waits until all these nodes have the same events of every kind in a
// room, in the same order, and n of them are messages.
func (p *party) waitSame(d time.Duration, name string, n int, nodes ...int) {
	p.t.Helper()
	p.Wait(d, "all have the same", func() error {
		first := p.ids(nodes[0], name)
		for _, i := range nodes {
			if got := len(p.history(i, name, chat.Query{})); got != n {
				return fmt.Errorf("node %d has %d of %d messages", i, got, n)
			}
			if !slices.Equal(first, p.ids(i, name)) {
				return fmt.Errorf("node %d differs from %d", i, nodes[0])
			}
		}
		return nil
	})
}

func (p *party) ids(i int, name string) (ids []chat.ID) {
	for _, m := range p.history(i, name, chat.Query{All: true}) {
		ids = append(ids, m.ID)
	}
	return ids
}

// long leaves out under the race detector what takes it minutes, and of which
// shorter tests show it as much.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes under the race detector: make race runs it")
	}
}
