package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/parley-chat/parley/internal/event"
)

// Cut ends what an author can add. An event at the place that Named has for its log, but
// with another id, does not count; earlier ones do, whatever their hlc.
type Cut struct {
	Author event.Author
	At     event.HLC             // in every log that Named does not have: events with a higher hlc do not count; math.MaxUint64: they do
	Named  map[event.LogID]Place // the last event that counts there
}

// Place is a place in an author's chain. Seq 0: before its first event.
type Place struct {
	Seq uint64
	ID  event.ID
}

// Bounds of what may be cut at once. It is held in memory.
const (
	maxCutAuthors = 10_000
	maxCutNamed   = 1_000   // logs named for one author, in all his cuts
	maxCutPlaces  = 100_000 // logs named for all authors
)

// SetCuts replaces the whole set of cuts, and deletes the events that do not count any more
// in all logs, kept ones too. It says how many. An author may have several cuts: an event counts
// if each of them lets it. From then on such events are refused by Append (Appended.Cut), also
// by a store that is opened again. Setting the same changes nothing and reads nothing.
//
// The cuts are on disk before the deletion begins, and the deletion before SetCuts returns. It goes
// by portions: others write in between. If it ends early, by ctx or a kill, the next
// SetCuts goes on, or the next Open. Until then readers may see some of what is cut, and
// Heads, Missing and Author may tell of it.
//
// An event that was cut and that others name as parent is not missing (Settle), as far as is known that
// it was cut: of one that never came nobody can say it. A cut that is not set
// any more lets events come again, from others: those too that this store had. An author
// who is not cut any more must not go on before they have come, or he forks his chain.
//
// At most 10,000 authors may be cut, and 1,000 logs be named for one, 100,000 for all: beyond
// that it is an error and nothing changes. Other errors: ctx's, ErrDiskFull, ErrFailed, ErrClosed.
func (s *Store) SetCuts(ctx context.Context, cuts []Cut) (deleted int, err error) {
	want, err := joinCuts(cuts)
	if err != nil {
		return 0, err
	}
	leave, err := s.deleting.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	left, err := s.sweep(ctx) // what an earlier call has left: its records tell what that is
	if err != nil {
		return left, err
	}
	changed := s.changedCuts(want)
	if len(changed) == 0 {
		return left, nil
	}
	if err := s.storeCuts(ctx, changed); err != nil {
		return left, err
	}
	deleted, err = s.sweep(ctx)
	return left + deleted, err
}

// Cut says how many events of a batch do not count. It reads no disk.
func (s *Store) Cut(b *event.Batch) (n int) {
	l := s.limitOf(b.Author(), b.Log())
	if l == nil {
		return 0
	}
	for i := range b.Events {
		if !l.lets(&b.Events[i]) {
			n++
		}
	}
	return n
}

// AnyCut reports whether any author is cut. It reads no disk.
func (s *Store) AnyCut() bool { return s.cuts.Load() != nil }

// Refused reports whether an event was cut lately: it was deleted, or refused. Nothing
// of it is known when the store is opened, or the cuts have changed. It reads no disk.
func (s *Store) Refused(id event.ID) bool { return s.refused.has(id) }

// limit is what an author can add to a log.
type limit struct {
	at    event.HLC // later events do not count
	named bool      // nor do those behind last in the chain
	last  Place
}

// unlimited is of an author who is cut in other logs only.
const unlimited event.HLC = math.MaxUint64

func (l *limit) lets(e *event.Event) bool {
	if e.HLC > l.at {
		return false
	}
	return !l.named || e.Seq < l.last.Seq || e.Seq == l.last.Seq && e.ID == l.last.ID
}

// name takes in that a cut names a place. Two ids at one place: nothing counts there.
func (l *limit) name(p Place) {
	switch {
	case !l.named || p.Seq < l.last.Seq:
		l.named, l.last = true, p
	case p.Seq == l.last.Seq && p.ID != l.last.ID:
		l.last.ID = event.ID{}
	}
}

// authorCut is all cuts of an author.
type authorCut struct {
	others limit // in logs that no cut names; its at alone
	named  map[event.LogID]*limit
	swept  bool // what does not count is deleted
}

func (c *authorCut) in(log event.LogID) *limit {
	if l := c.named[log]; l != nil {
		return l
	}
	return &c.others
}

// same reports whether two let the same.
func (c *authorCut) same(o *authorCut) bool {
	return c.others == o.others && maps.EqualFunc(c.named, o.named, func(a, b *limit) bool { return *a == *b })
}

type cutSet map[event.Author]*authorCut

// limitOf returns what an author can add to a log, nil if there is no limit.
func (s *Store) limitOf(a event.Author, log event.LogID) *limit {
	set := s.cuts.Load()
	if set == nil {
		return nil
	}
	if c := (*set)[a]; c != nil {
		return c.in(log)
	}
	return nil
}

func (s *Store) cutsNow() cutSet {
	if set := s.cuts.Load(); set != nil {
		return *set
	}
	return nil
}

// joinCuts makes one of all cuts of an author. Their order makes no difference.
func joinCuts(cuts []Cut) (cutSet, error) {
	of := make(map[event.Author][]*Cut)
	for i := range cuts {
		of[cuts[i].Author] = append(of[cuts[i].Author], &cuts[i])
	}
	set, places := make(cutSet, len(of)), 0
	for author, cuts := range of {
		c := joinAuthor(cuts)
		if len(c.named) > maxCutNamed {
			return nil, fmt.Errorf("eventlog: cuts that name %d logs for one author, more than %d", len(c.named), maxCutNamed)
		}
		places += len(c.named)
		set[author] = c
	}
	if len(set) > maxCutAuthors || places > maxCutPlaces {
		return nil, fmt.Errorf("eventlog: cuts of %d authors that name %d logs, more than %d and %d", len(set), places, maxCutAuthors, maxCutPlaces)
	}
	return set, nil
}

func joinAuthor(cuts []*Cut) *authorCut {
	c := &authorCut{others: limit{at: unlimited}, named: make(map[event.LogID]*limit)}
	for _, x := range cuts {
		c.others.at = min(c.others.at, x.At)
		for log := range x.Named {
			c.named[log] = &limit{at: unlimited}
		}
	}
	for log, l := range c.named {
		for _, x := range cuts {
			if p, ok := x.Named[log]; ok {
				l.name(p)
			} else {
				l.at = min(l.at, x.At)
			}
		}
	}
	return c
}

// changedCut is what an author's cuts become, nil if he has none any more.
type changedCut struct {
	author event.Author
	cut    *authorCut
}

// changedCuts returns in what a set differs from the present one, in the order of authors.
func (s *Store) changedCuts(want cutSet) (changed []changedCut) {
	have := s.cutsNow()
	for author, c := range want {
		if old := have[author]; old == nil || !old.same(c) {
			changed = append(changed, changedCut{author, c})
		}
	}
	for author := range have {
		if want[author] == nil {
			changed = append(changed, changedCut{author, nil})
		}
	}
	slices.SortFunc(changed, func(a, b changedCut) int { return bytes.Compare(a.author[:], b.author[:]) })
	return changed
}

// refusals are events that were cut lately, by the first bytes of their ids.
type refusals struct {
	mu            sync.RWMutex
	recent, older map[uint64]struct{}
}

const maxRefusals = 1 << 17 // in each of the two

func shortened(id event.ID) uint64 { return binary.LittleEndian.Uint64(id[:]) }

func (r *refusals) add(id event.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.recent) >= maxRefusals || r.recent == nil {
		r.older, r.recent = r.recent, make(map[uint64]struct{})
	}
	r.recent[shortened(id)] = struct{}{}
}

func (r *refusals) has(id event.ID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.recent[shortened(id)]
	if !ok {
		_, ok = r.older[shortened(id)]
	}
	return ok
}

func (r *refusals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recent, r.older = nil, nil
}

// oneAtATime lets one of those who delete in portions work at a time: each counts on nothing but
// additions between its own.
type oneAtATime chan struct{}

// enter waits for the place. Errors are ctx's.
func (o oneAtATime) enter(ctx context.Context) (leave func(), err error) {
	select {
	case o <- struct{}{}:
		return func() { <-o }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
