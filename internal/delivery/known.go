package delivery

import (
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// Bounds of what validators remember of a log.
const (
	maxKnown   = 8192             // batches in each of two generations
	maxAuthors = 10_000           // authors whose newest event is remembered
	replayAge  = 10 * time.Minute // older events are no news of a known author
)

// known remembers in memory what was stored lately, so that validators can tell
// replays without touching the disk. What it has forgotten the store knows: a
// replay then costs one check and one look-up, and its forwarder a part of his
// budget.
type known struct {
	mu      sync.Mutex
	recent  map[event.ID]uint64 // last event of a stored batch → seq of its first
	older   map[event.ID]uint64
	authors map[event.Author]uint64 // highest stored seq
}

func newKnown() *known {
	return &known{recent: make(map[event.ID]uint64), authors: make(map[event.Author]uint64)}
}

// add remembers a stored batch.
func (k *known) add(b *event.Batch) {
	first, last := &b.Events[0], &b.Events[len(b.Events)-1]
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.recent) >= maxKnown {
		k.older, k.recent = k.recent, make(map[event.ID]uint64)
	}
	if seq, ok := k.find(last.ID); !ok || first.Seq < seq {
		k.recent[last.ID] = first.Seq
	}
	if _, ok := k.authors[last.Author]; ok || len(k.authors) < maxAuthors {
		k.authors[last.Author] = max(k.authors[last.Author], last.Seq)
	}
}

func (k *known) find(id event.ID) (uint64, bool) {
	if seq, ok := k.recent[id]; ok {
		return seq, true
	}
	seq, ok := k.older[id]
	return seq, ok
}

// has reports whether every event of b was stored lately.
func (k *known) has(b *event.Batch) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	seq, ok := k.find(b.Events[len(b.Events)-1].ID)
	return ok && seq <= b.Events[0].Seq
}

// replayed reports whether b is old and of an author who has long gone on:
// gossip carries what was just written, the rest comes by fetching.
func (k *known) replayed(now time.Time, b *event.Batch) bool {
	last := &b.Events[len(b.Events)-1]
	if event.Ahead(now, last.HLC) > -replayAge {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return last.Seq <= k.authors[last.Author]
}
