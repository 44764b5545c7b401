package chat_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// Two nodes with their messengers share a process and a registry of metrics:
// each does as if it were alone, and goes on when the other has ended.
func TestSeveralMessengersInOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := prometheus.NewRegistry()
		labelled := func(i int) prometheus.Registerer {
			return prometheus.WrapRegistererWith(prometheus.Labels{"who": strconv.Itoa(i)}, shared)
		}
		p := &party{t: t, ms: make([]*chat.Messenger, 2)}
		p.Cluster = nodetest.New(t, nodetest.Config{
			N:         2,
			Configure: func(i int, c *node.Config) { c.Registerer = labelled(i) },
			App: func(ctx context.Context, i int, n *node.Node) (io.Closer, error) {
				m, err := chat.Open(ctx, n, chat.Config{Nick: "nick" + strconv.Itoa(i), Registerer: labelled(i)})
				p.ms[i] = m
				return m, err
			},
		})
		p.WaitAdmitted(time.Minute)
		p.join(0, "lobby")
		p.join(1, "lobby")
		p.say(0, "lobby", "one")
		p.waitTexts(time.Minute, 1, "lobby", "one")
		p.tell(1, 0, "two")
		p.waitTold(time.Minute, 0, 1, "two")

		families, err := shared.Gather()
		if err != nil {
			t.Fatal(err)
		}
		whose := make(map[string]bool)
		for _, f := range families {
			if f.GetName() != "parley_presence_signals_sent_total" {
				continue
			}
			for _, m := range f.GetMetric() {
				whose[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue() > 0
			}
		}
		if len(whose) != 2 || !whose["0"] || !whose["1"] {
			t.Errorf("signals are counted of %v", whose)
		}

		// A node has one messenger: the second is refused and harms nothing.
		if _, err := chat.Open(t.Context(), p.Nodes[0], chat.Config{}); !errors.Is(err, chat.ErrInUse) {
			t.Errorf("a second messenger on one node: %v", err)
		}
		if _, err := node.Start(t.Context(), node.Config{Dir: p.Dir(0), NoMDNS: true}); !errors.Is(err, node.ErrDirBusy) {
			t.Errorf("a second node on one directory: %v", err)
		}
		p.say(0, "lobby", "three")
		p.waitTexts(time.Minute, 1, "lobby", "one", "three")

		p.Stop(1)
		p.say(0, "lobby", "four")
		p.waitTexts(time.Minute, 0, "lobby", "one", "three", "four")

		// The registry is free for whoever comes next.
		p.Start(1)
		p.waitTexts(time.Minute, 1, "lobby", "one", "three", "four")
	})
}
