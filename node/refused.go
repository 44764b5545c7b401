package node

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/wake"
)

// maxRefusals is how many wait for one reader; further ones are counted.
const maxRefusals = 256

// Refusal tells of a peer that hello did not admit and that was hung up on.
type Refusal struct {
	ID     peer.ID
	Addr   ma.Multiaddr // that it was connected from; nil if that is not known any more
	Reason string       // a word, as in the metric of handshakes
	// Missed is how many before this one the reader was too slow for. It comes with
	// the next refusal, or alone, without ID.
	Missed uint64
}

// Refusals tells of each peer that hello refuses from now on, until ctx ends, the
// node closes or the caller breaks off. A slow reader holds nobody up.
func (n *Node) Refusals(ctx context.Context) iter.Seq[Refusal] {
	return func(yield func(Refusal) bool) {
		r := n.refusals.add()
		defer n.refusals.remove(r)
		var items []Refusal
		for {
			select {
			case <-r.queue.Wake():
			case <-ctx.Done():
				return
			case <-n.ctx.Done():
				return
			}
			items, _ = r.queue.TakeAll(items)
			if missed := r.missed.Swap(0); missed > 0 {
				items = append(items, Refusal{Missed: missed})
			}
			for _, item := range items {
				if !yield(item) {
					return
				}
			}
		}
	}
}

// refusals hands refusals to all readers. The zero value is ready.
type refusals struct {
	mu      sync.Mutex
	readers map[*refusalReader]struct{}
}

type refusalReader struct {
	queue  *wake.Queue[Refusal]
	missed atomic.Uint64
}

func (f *refusals) add() *refusalReader {
	r := &refusalReader{queue: wake.New[Refusal](maxRefusals)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers == nil {
		f.readers = make(map[*refusalReader]struct{})
	}
	f.readers[r] = struct{}{}
	return r
}

func (f *refusals) remove(r *refusalReader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.readers, r)
}

func (f *refusals) put(item Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		if !r.queue.Put(item) {
			r.missed.Add(1)
		}
	}
}

// refused is told by admission, before it hangs up.
func (n *Node) refused(p peer.ID, reason string) {
	n.dialer.refused(p)
	item := Refusal{ID: p, Reason: reason}
	for _, c := range n.host.Network().ConnsToPeer(p) {
		item.Addr = c.RemoteMultiaddr()
		break
	}
	n.refusals.put(item)
}
