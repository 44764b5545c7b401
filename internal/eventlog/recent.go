package eventlog

import (
	"slices"
	"sync"
)

// recent holds the newest payloads decoded, so that live readers touch neither
// badger nor a decoder. It holds everything numbered above floor.
type recent struct {
	mu    sync.RWMutex
	items []stored // ascending by arrival
	bytes int
	limit int
	floor uint64
}

// add appends a payload and drops the oldest ones when there are too many bytes.
func (r *recent) add(p stored) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, p)
	r.bytes += p.cost()
	n := 0
	for ; r.bytes > r.limit && n < len(r.items); n++ {
		r.bytes -= r.items[n].cost()
		r.floor = r.items[n].last()
	}
	clear(r.items[:n])
	r.items = r.items[n:] // moving the others would cost more than all the rest of a single event
}

// uncount makes an event of a payload not count any more.
func (r *recent) uncount(arrival uint64, place int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := slices.BinarySearchFunc(r.items, arrival, byArrival); ok {
		r.items[i].counts.clear(place)
	}
}

// replace puts another form of a payload in its place.
func (r *recent) replace(p stored) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := slices.BinarySearchFunc(r.items, p.arrival, byArrival); ok {
		r.bytes += p.cost() - r.items[i].cost()
		r.items[i].batch = p.batch
	}
}

// drop takes a payload out that is not stored any more.
func (r *recent) drop(arrival uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := slices.BinarySearchFunc(r.items, arrival, byArrival); ok {
		r.bytes -= r.items[i].cost()
		r.items = slices.Delete(r.items, i, i+1)
	}
}

// cost estimates the memory of a decoded payload.
func (p *stored) cost() int { return len(p.batch.Payload()) + 400*len(p.batch.Events) }

// last returns the arrival number of the last event.
func (p *stored) last() uint64 { return p.arrival + uint64(len(p.batch.Events)) - 1 }

// get returns the payload that begins with an arrival number.
func (r *recent) get(arrival uint64) (stored, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, ok := slices.BinarySearchFunc(r.items, arrival, byArrival)
	if !ok {
		return stored{}, false
	}
	return r.items[i], true
}

// since returns the payloads with events numbered above cursor, at most n; ok
// is false if some of them may only be on disk.
func (r *recent) since(cursor uint64, n int) (out []stored, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if cursor < r.floor {
		return nil, false
	}
	i, found := slices.BinarySearchFunc(r.items, cursor+1, byArrival)
	if !found && i > 0 && r.items[i-1].last() > cursor {
		i--
	}
	return slices.Clone(r.items[i:min(i+n, len(r.items))]), true
}

func byArrival(p stored, arrival uint64) int {
	switch {
	case p.arrival < arrival:
		return -1
	case p.arrival > arrival:
		return 1
	}
	return 0
}
