package delivery

import (
	"container/heap"
	"slices"

	"github.com/parley-chat/parley/internal/event"
)

// maxWalk is how many batches one request may make the server look at.
const maxWalk = 4096

// walk collects the stored batches that hold the wanted events and their
// ancestors, newest first by hlc, without those that the asker has: what he
// names in have, and the ancestors of it that the walk meets. It is how git
// finds what to send: the order by time is a hint that saves work; where it is
// wrong the asker gets something twice.
type walk struct {
	store Store
	log   event.LogID
	queue batchHeap
	seen  map[event.ID]*node // any event of a batch that is or was in the queue
	open  int                // nodes in the queue that the asker does not have
}

// node is one batch of the walk.
type node struct {
	batch  *event.Batch
	hlc    event.HLC
	had    bool // the asker has it
	wanted bool // the asker named it: it is sent whatever he has
	queued bool
}

// collect returns what answers r, ancestors before their descendants as far as
// time tells: the wanted batches and ancestors of up to r.limit events, but no
// more than maxReplySize bytes and one batch.
func collect(store Store, r *request) ([][]byte, error) {
	w := &walk{store: store, log: r.log, seen: make(map[event.ID]*node)}
	if err := w.begin(r); err != nil {
		return nil, err
	}
	var payloads [][]byte
	ancestors, bytes := 0, 0
	for steps := 0; w.open > 0 && steps < maxWalk && bytes < maxReplySize; steps++ {
		n := w.pop()
		if !n.had {
			if !n.wanted {
				ancestors += len(n.batch.Events)
			}
			payloads = append(payloads, n.batch.Payload())
			bytes += len(n.batch.Payload())
		}
		if ancestors >= r.limit {
			w.wantedOnly()
			continue
		}
		for i := range n.batch.Events {
			if err := w.push(n.batch.Events[i].Parents, n.had); err != nil {
				return nil, err
			}
		}
	}
	slices.Reverse(payloads)
	return payloads, nil
}

// begin queues what the asker wants, or the heads if he names nothing, and
// what he has.
func (w *walk) begin(r *request) error {
	want := r.want
	if len(want) == 0 {
		var err error
		if want, err = w.store.Heads(r.log); err != nil {
			return err
		}
	}
	if len(r.have) > 0 && r.limit > 0 {
		if err := w.push(r.have, true); err != nil {
			return err
		}
	}
	if err := w.push(want, false); err != nil {
		return err
	}
	for _, id := range r.want {
		if n := w.seen[id]; n != nil {
			n.wanted = true
			if n.had && n.queued {
				w.open++
			}
			n.had = false
		}
	}
	return nil
}

// wantedOnly drops from the queue what the asker did not name.
func (w *walk) wantedOnly() {
	kept := w.queue[:0]
	w.open = 0
	for _, n := range w.queue {
		if n.wanted {
			kept = append(kept, n)
			w.open++
		}
	}
	clear(w.queue[len(kept):])
	w.queue = kept
	heap.Init(&w.queue)
}

// push queues the batches that hold ids. What is reached from something the
// asker has is marked as had too.
func (w *walk) push(ids []event.ID, had bool) error {
	for _, id := range ids {
		n := w.seen[id]
		if n == nil {
			var err error
			if n, err = w.load(id, had); err != nil {
				return err
			}
			if n == nil {
				continue
			}
		}
		if had && !n.had && !n.wanted {
			n.had = true
			if n.queued {
				w.open--
			}
		}
	}
	return nil
}

// load reads the batch that holds id; nil if it is not stored in this log.
func (w *walk) load(id event.ID, had bool) (*node, error) {
	b, ok, err := w.store.Batch(id)
	if err != nil || !ok {
		return nil, err
	}
	if b.Log() != w.log {
		return nil, nil // known, but not to those of this log
	}
	n := &node{batch: b, hlc: b.Events[len(b.Events)-1].HLC, had: had, queued: true}
	for i := range b.Events {
		if w.seen[b.Events[i].ID] == nil {
			w.seen[b.Events[i].ID] = n
		}
	}
	heap.Push(&w.queue, n)
	if !had {
		w.open++
	}
	return n, nil
}

func (w *walk) pop() *node {
	n := heap.Pop(&w.queue).(*node)
	n.queued = false
	if !n.had {
		w.open--
	}
	return n
}

// batchHeap has the newest on top.
type batchHeap []*node

func (h batchHeap) Len() int           { return len(h) }
func (h batchHeap) Less(i, j int) bool { return h[i].hlc > h[j].hlc }
func (h batchHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *batchHeap) Push(x any)        { *h = append(*h, x.(*node)) }
func (h *batchHeap) Pop() any {
	old := *h
	n := old[len(old)-1]
	*h = old[:len(old)-1]
	return n
}
