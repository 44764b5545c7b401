package gate

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A Follower hears of admissions. It remembers which peers changed, not how
// often, so it is bounded by the number of peers and never holds the gate up.
type Follower struct {
	g    *Gate
	wake chan struct{} // capacity 1

	mu    sync.Mutex
	dirty map[peer.ID]struct{}
	told  map[peer.ID]uint64 // number of the admission told last
}

// A Change says that a peer was admitted, or is gone.
type Change struct {
	Peer     peer.ID
	Admitted bool
}

func (g *Gate) newFollower() *Follower {
	return &Follower{
		g: g, wake: make(chan struct{}, 1),
		dirty: make(map[peer.ID]struct{}), told: make(map[peer.ID]uint64),
	}
}

// Follow starts following; the peers admitted now are the first changes.
// Stop it when done.
func (g *Gate) Follow() *Follower {
	f := g.newFollower()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.follow[f] = struct{}{}
	for p, e := range g.peers {
		if e.admitted != 0 {
			f.mark(p)
		}
	}
	return f
}

// Stop ends following.
func (f *Follower) Stop() {
	f.g.mu.Lock()
	defer f.g.mu.Unlock()
	delete(f.g.follow, f)
}

// Wake is readable when Take may have something.
func (f *Follower) Wake() <-chan struct{} { return f.wake }

// Take returns what changed since the last call. A peer that went and came
// again in between is reported gone, then admitted. One goroutine at a time.
func (f *Follower) Take() []Change {
	var out []Change
	for _, p := range f.take() {
		f.g.mu.Lock()
		var now uint64
		if e := f.g.peers[p]; e != nil {
			now = e.admitted
		}
		f.g.mu.Unlock()
		before := f.told[p]
		if before == now {
			continue
		}
		if before != 0 {
			out = append(out, Change{Peer: p})
			delete(f.told, p)
		}
		if now != 0 {
			out = append(out, Change{Peer: p, Admitted: true})
			f.told[p] = now
		}
	}
	return out
}

func (f *Follower) mark(p peer.ID) {
	f.mu.Lock()
	f.dirty[p] = struct{}{}
	f.mu.Unlock()
	f.poke()
}

func (f *Follower) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *Follower) take() []peer.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]peer.ID, 0, len(f.dirty))
	for p := range f.dirty {
		ids = append(ids, p)
	}
	clear(f.dirty)
	return ids
}
