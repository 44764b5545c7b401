package delivery

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/parley-chat/parley/internal/event"
)

// Bounds of what validators remember of a log.
const (
	maxKnown   = 8192             // batches in each of two generations
	maxAuthors = 8192             // authors whose newest event is remembered
	replayAge  = 10 * time.Minute // older events are no news of a known author
)

// known remembers in memory what was stored lately, so that validators can tell
// replays without touching the disk. What it has forgotten the store knows: a
// replay then costs one check and one look-up, and its forwarder a part of his
// budget.
type known struct {
	mu      sync.Mutex
	recent  map[event.ID]knownBatch // by last event
	older   map[event.ID]knownBatch
	authors *lru.Cache[event.Author, uint64] // highest stored seq
}

// knownBatch is a stored batch. One that was fetched before gossip brought it
// is forwarded when gossip does, once: others wait for it.
type knownBatch struct {
	first    uint64 // seq of its first event
	gossiped bool
}

func newKnown() *known {
	authors, err := lru.New[event.Author, uint64](maxAuthors)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &known{recent: make(map[event.ID]knownBatch), authors: authors}
}

// add remembers a stored batch, and says whether its forwarder is to be excused
// if he brought nothing new.
func (k *known) add(b *event.Batch, gossiped bool) (excused bool) {
	first, last := &b.Events[0], &b.Events[len(b.Events)-1]
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.recent) >= maxKnown {
		k.older, k.recent = k.recent, make(map[event.ID]knownBatch)
	}
	was, ok := k.find(last.ID)
	if !ok {
		was.first = first.Seq
	}
	k.recent[last.ID] = knownBatch{min(was.first, first.Seq), was.gossiped || gossiped}
	highest, _ := k.authors.Get(last.Author)
	k.authors.Add(last.Author, max(highest, last.Seq))
	return ok && !was.gossiped
}

// author reports whether something of an author was stored lately.
func (k *known) author(a event.Author) bool { return k.authors.Contains(a) }

func (k *known) find(id event.ID) (knownBatch, bool) {
	if b, ok := k.recent[id]; ok {
		return b, true
	}
	b, ok := k.older[id]
	return b, ok
}

// gossiped reports whether every event of b, which gossip brought, was stored
// lately, and if so, whether it was fetched and gossip brings it the first time.
func (k *known) gossiped(b *event.Batch) (known, fetched bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was, ok := k.find(b.Events[len(b.Events)-1].ID)
	if !ok || was.first > b.Events[0].Seq {
		return false, false
	}
	return true, !was.gossiped
}

// replayed reports whether b is old and of an author who has long gone on:
// gossip carries what was just written, the rest comes by fetching.
func (k *known) replayed(now time.Time, b *event.Batch) bool {
	last := &b.Events[len(b.Events)-1]
	if event.Ahead(now, last.HLC) > -replayAge {
		return false
	}
	highest, _ := k.authors.Get(last.Author)
	return last.Seq <= highest
}
