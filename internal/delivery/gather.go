package delivery

import (
	"cmp"
	"context"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
)

// Bounds of what is gathered of one peer for one reason. spec: 04-delivery §7
const (
	maxAsks     = 8       // requests
	maxGathered = 1 << 20 // bytes of payloads, rounded up to a whole reply
)

// gathering is what a peer gave and nobody has stored yet: what he told of, and
// those of its ancestors that are missing too, so that what came before can be
// shown before.
type gathering struct {
	batches []*event.Batch
	in      map[event.ID]int // which of the batches an event is in
	asked   map[event.ID]struct{}
	bytes   int
	deep    bool // more is missing than the bounds allow
}

func newGathering() *gathering {
	return &gathering{in: make(map[event.ID]int), asked: make(map[event.ID]struct{})}
}

func (g *gathering) add(b *event.Batch) error {
	for i := range b.Events {
		g.in[b.Events[i].ID] = len(g.batches)
	}
	g.batches = append(g.batches, b)
	g.bytes += len(b.Payload())
	return nil
}

// gather asks p for events, and then for what is missing before them, until
// nothing is, p has no more, or a bound is reached. Errors are those of asking,
// and the own store's; what came before one is good.
func (f *fetcher) gather(ctx context.Context, p peer.ID, want []event.ID) (*gathering, error) {
	g := newGathering()
	for asks := 0; len(want) > 0; asks++ {
		if asks == maxAsks || g.bytes >= maxGathered {
			g.deep = true
			break
		}
		want = want[:min(len(want), maxWant)]
		had := len(g.batches)
		full, err := f.l.ask(ctx, p, want, g.add)
		for _, id := range want {
			if _, came := g.in[id]; came || !full {
				g.asked[id] = struct{}{}
			}
		}
		if err != nil || len(g.batches) == had {
			return g, err
		}
		if want, err = f.wanted(g.before()); err != nil {
			return g, ownStore(err)
		}
	}
	return g, nil
}

// before are the parents of what was gathered that were neither gathered nor
// asked for in vain.
func (g *gathering) before() (parents []event.ID) {
	for _, b := range g.batches {
		for i := range b.Events {
			for _, id := range b.Events[i].Parents {
				_, came := g.in[id]
				if _, asked := g.asked[id]; !came && !asked {
					parents = append(parents, id)
				}
			}
		}
	}
	return parents
}

// oldestFirst returns what was gathered, each batch after those that hold its
// parents, and besides by what the authors say of the time.
func (g *gathering) oldestFirst() []*event.Batch {
	order := make([]int, len(g.batches))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		x, y := &g.batches[i].Events[0], &g.batches[j].Events[0]
		return cmp.Or(cmp.Compare(x.HLC, y.HLC), x.ID.Compare(y.ID))
	})
	out, placed := make([]*event.Batch, 0, len(order)), make([]bool, len(order))
	var place func(i int) // as deep as there are batches, 512 at most
	place = func(i int) {
		if placed[i] {
			return
		}
		placed[i] = true // before its parents: batches may hold parents of each other
		for e := range g.batches[i].Events {
			for _, id := range g.batches[i].Events[e].Parents {
				if j, ok := g.in[id]; ok {
					place(j)
				}
			}
		}
		out = append(out, g.batches[i])
	}
	for _, i := range order {
		place(i)
	}
	return out
}
