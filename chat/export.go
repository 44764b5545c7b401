package chat

import (
	"context"
	"iter"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Export yields every stored event of the room in the order of its history,
// whatever its kind, each alone with the proof that its author signed it: the
// payload of docs/protocol/03-events §6.5, which Import takes on any node of
// the same network. Content that was erased here is not in it. Memory is
// bounded whatever the room holds. An error ends it.
func (r *Room) Export(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := r.m.alive(); err != nil {
			yield(nil, err)
			return
		}
		p := prover{store: r.m.store, places: make(map[ID]place)}
		for e, err := range r.m.store.History(ctx, eventlog.Query{Log: r.log}) {
			var payload []byte
			if err == nil {
				payload, err = p.alone(&e)
			}
			if !yield(payload, err) || err != nil {
				return
			}
		}
	}
}

// provers is how many batches a prover keeps at hand: those of the authors
// who write at a time. Each has at most 128 KiB.
const provers = 64

// prover gives events their proofs. Neighbours in the history are mostly of
// few batches, of which it keeps the last.
type prover struct {
	store  *eventlog.Store
	places map[ID]place
	kept   []*event.Batch // oldest first
}

// place is where the proof of an event is.
type place struct {
	tree  *event.Tree
	index int
}

// alone returns the payload of one stored event.
func (p *prover) alone(e *eventlog.Entry) ([]byte, error) {
	at, ok := p.places[e.Event.ID]
	if !ok {
		if err := p.read(e.Event.ID); err != nil {
			return nil, err
		}
		if at, ok = p.places[e.Event.ID]; !ok {
			return nil, eventlog.ErrCorrupt
		}
	}
	return event.Alone(e.Event.Raw, e.Event.Content, at.tree.Proof(at.index)), nil
}

// read takes up the batch that an event is stored in, and lets the oldest go.
func (p *prover) read(id ID) error {
	b, found, err := p.store.Batch(id)
	if err != nil || !found {
		return err
	}
	if len(p.kept) == provers {
		for i := range p.kept[0].Events {
			delete(p.places, p.kept[0].Events[i].ID)
		}
		p.kept = append(p.kept[:0], p.kept[1:]...)
	}
	p.kept = append(p.kept, b)
	tree := b.Tree()
	for i := range b.Events {
		p.places[b.Events[i].ID] = place{tree, i}
	}
	return nil
}
