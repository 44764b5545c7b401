package delivery

import (
	"slices"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// Bounds of what is held aside of a log. spec: 04-delivery §5
const (
	maxAhead     = 5 * time.Minute // events further ahead are held aside
	maxHeld      = 64              // batches
	maxHeldBytes = 1 << 20
	maxHeldOfOne = 8 // batches of one author
	maxHeldAhead = 24 * time.Hour
)

// holdback keeps verified batches whose time has not come. The zero value is
// ready.
type holdback struct {
	mu    sync.Mutex
	items []arrival // by due time
	bytes int
}

// due returns when a batch may be admitted.
func due(b *event.Batch) time.Time {
	return b.Events[len(b.Events)-1].HLC.Time().Add(-maxAhead)
}

// Early reports whether b is dated too far ahead of now to be stored yet.
func Early(now time.Time, b *event.Batch) bool { return due(b).After(now) }

// early reports whether a batch is to wait. In a log of chosen writers nothing
// does: what they decide is not to come late because a clock is wrong.
func (l *Log) early(now time.Time, b *event.Batch) bool { return l.may == nil && Early(now, b) }

// add holds a batch aside. It is dropped when it is more than a day ahead, its
// author has too many here, or the place is full of batches that are due
// before it; else those due last make place for it.
func (h *holdback) add(now time.Time, a arrival) bool {
	if due(a.batch).Sub(now) > maxHeldAhead {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last, of := a.batch.Events[len(a.batch.Events)-1].ID, 0
	for _, other := range h.items {
		if other.batch.Events[len(other.batch.Events)-1].ID == last {
			return false
		}
		if other.batch.Author() == a.batch.Author() {
			of++
		}
	}
	if of >= maxHeldOfOne {
		return false
	}
	at, _ := slices.BinarySearchFunc(h.items, a, func(x, y arrival) int {
		return due(x.batch).Compare(due(y.batch))
	})
	h.items = slices.Insert(h.items, at, a)
	h.bytes += len(a.batch.Payload())
	for len(h.items) > maxHeld || h.bytes > maxHeldBytes {
		n := len(h.items) - 1
		h.bytes -= len(h.items[n].batch.Payload())
		h.items[n] = arrival{}
		h.items = h.items[:n]
	}
	return at < len(h.items)
}

// ready takes out what is due, and says how long until the next is; 0 if there
// is none.
func (h *holdback) ready(now time.Time) (items []arrival, next time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for n < len(h.items) && !due(h.items[n].batch).After(now) {
		h.bytes -= len(h.items[n].batch.Payload())
		n++
	}
	items = slices.Clone(h.items[:n])
	h.items = slices.Delete(h.items, 0, n)
	if len(h.items) > 0 {
		next = max(due(h.items[0].batch).Sub(now), time.Millisecond)
	}
	return items, next
}
