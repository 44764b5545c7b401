package delivery

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/parley-chat/parley/internal/event"
)

// maxWalk is how many batches one request may make the server look at, besides
// those that it names.
const maxWalk = 1024

// walk collects the stored batches that hold the wanted events, and their
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
	read  int                // bytes of what was looked at
	heads []*node            // if the asker names nothing
	reply []*node
	size  int // bytes of reply
}

// node is one batch of the walk.
type node struct {
	batch  *event.Batch
	hlc    event.HLC
	had    bool // the asker has it
	wanted bool // the asker named it: it is sent whatever he has, and at once
	queued bool
}

// collect returns what answers r, ancestors before their descendants as far as
// time tells: the wanted batches and ancestors of up to r.limit events, but no
// more than maxReplySize bytes and one batch. It says too how many bytes it had
// to look at.
func collect(store Store, r *request) (payloads [][]byte, read int, err error) {
	w := &walk{store: store, log: r.log, seen: make(map[event.ID]*node)}
	if err := w.begin(r); err != nil {
		return nil, w.read, err
	}
	ancestors, steps := 0, 0
	for ; w.open > 0 && steps < maxWalk && ancestors < r.limit && w.size < maxReplySize; steps++ {
		n := w.pop()
		if !n.had && !n.wanted {
			w.send(n)
			ancestors += len(n.batch.Events)
		}
		for i := range n.batch.Events {
			if err := w.push(n.batch.Events[i].Parents, n.had); err != nil {
				return nil, w.read, err
			}
		}
	}
	if steps == maxWalk {
		w.sendHeads()
	}
	slices.SortStableFunc(w.reply, func(a, b *node) int { return cmp.Compare(a.hlc, b.hlc) })
	for _, n := range w.reply {
		payloads = append(payloads, n.batch.Payload())
	}
	return payloads, w.read, nil
}

// begin queues what the asker wants, which is sent, or the heads if he names
// nothing, and what he has.
func (w *walk) begin(r *request) error {
	if err := w.push(r.want, false); err != nil {
		return err
	}
	wanted := slices.Clone(w.queue)
	slices.SortFunc(wanted, func(a, b *node) int { return cmp.Compare(b.hlc, a.hlc) })
	for _, n := range wanted {
		n.wanted = true
		if w.size < maxReplySize {
			w.send(n)
		}
	}
	if r.limit == 0 {
		return nil
	}
	if len(r.want) == 0 {
		heads, err := w.store.Heads(r.log)
		if err != nil {
			return err
		}
		if err := w.push(heads, false); err != nil {
			return err
		}
		w.heads = slices.Clone(w.queue)
	}
	return w.push(r.have, true)
}

// sendHeads sends the heads that a walk which was too long has not reached:
// what is below them the asker can then ask for.
func (w *walk) sendHeads() {
	for _, n := range w.heads {
		if n.queued && !n.had && w.size < maxReplySize {
			w.send(n)
		}
	}
}

func (w *walk) send(n *node) {
	w.reply = append(w.reply, n)
	w.size += len(n.batch.Payload())
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
	w.read += len(b.Payload())
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
