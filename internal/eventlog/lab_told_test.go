//go:build unix

package eventlog

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// told is what the child has told.
type told struct {
	fixture           map[event.ID]bool // of a log to which nothing is done
	events            map[event.ID]toldEvent
	erasing, erased   map[event.ID]bool
	setting, meta     map[string]int
	cutting, cut      map[string]uint64 // last seq of an author
	retaining, floor  uint64
	expiring, expired uint64
	newest            uint64 // arrival number
	synced            *told  // what it was at the last sync, if that was since the last stop
	moving            bool   // payloads that were synced may be written anew
	moves             bool   // they may have been, since the last sync
	last              string // line
}

type toldEvent struct {
	arrival, second, expiry uint64
	author                  string
	seq                     uint64
}

// mayGo reports whether an event may be cut, or is.
func mayGo(cuts map[string]uint64, author string, seq uint64) bool {
	last, ok := cuts[author]
	return ok && seq > last
}

func newTold(fixture map[event.ID]bool) *told {
	return &told{
		fixture: fixture,
		events:  make(map[event.ID]toldEvent), erasing: make(map[event.ID]bool), erased: make(map[event.ID]bool),
		setting: make(map[string]int), meta: make(map[string]int),
		cutting: make(map[string]uint64), cut: make(map[string]uint64),
	}
}

func (w *told) clone() *told {
	c := *w
	c.events, c.erasing, c.erased = maps.Clone(w.events), maps.Clone(w.erasing), maps.Clone(w.erased)
	c.setting, c.meta = maps.Clone(w.setting), maps.Clone(w.meta)
	c.cutting, c.cut = maps.Clone(w.cutting), maps.Clone(w.cut)
	return &c
}

func (w *told) take(t *testing.T, line string) {
	t.Helper()
	f := strings.Fields(line)
	number := func(i int) uint64 {
		n, err := strconv.ParseUint(f[i], 10, 64)
		must(t, err)
		return n
	}
	id := func() event.ID {
		id, err := event.ParseID(f[1])
		must(t, err)
		return id
	}
	w.last = f[0]
	switch f[0] {
	case "opening", "committed":
	case "step":
		w.moving = false
	case "synced":
		w.moves, w.synced = w.moving, nil
		w.synced = w.clone()
	case "reclaiming":
		w.moving, w.moves = true, true
	case "erasing":
		w.erasing[id()] = true
		w.moving, w.moves = true, true
	case "erased":
		w.erased[id()] = true
	case "retaining":
		w.retaining = number(1)
	case "retained":
		w.floor = number(1)
		maps.DeleteFunc(w.events, func(_ event.ID, e toldEvent) bool { return e.second < w.floor })
	case "cutting":
		w.cutting[f[1]] = number(2)
	case "cut":
		w.cut[f[1]] = number(2)
		maps.DeleteFunc(w.events, func(_ event.ID, e toldEvent) bool { return mayGo(w.cut, e.author, e.seq) })
	case "expiring":
		w.expiring = number(1)
		w.moving, w.moves = true, true
	case "expired":
		w.expired = number(1)
	case "setting":
		w.setting[f[1]] = int(number(2))
	case "meta":
		w.meta[f[1]] = int(number(2))
	case "event":
		w.events[id()] = toldEvent{number(2), number(3), number(4), f[5], number(6)}
		w.newest = max(w.newest, number(2))
	default:
		t.Fatalf("the child said %q", line)
	}
}

// check compares a store with what had been acknowledged when it was safe; now is
// what had been told when the copy was made: what was begun may be done.
func (w *told) check(t *testing.T, s *Store, now *told) {
	t.Helper()
	must(t, s.Check(t.Context()))
	seen := make(map[event.ID]bool)
	for e, err := range s.History(t.Context(), Query{Log: room}) {
		must(t, err)
		if seen[e.Event.ID] {
			t.Errorf("event %v is there twice", e.Event.ID)
		}
		seen[e.Event.ID] = true
		if mayGo(w.cut, fmt.Sprintf("%x", e.Event.Author), e.Event.Seq) {
			t.Errorf("event %v was cut and is there", e.Event.ID)
		}
	}
	for id, want := range w.events {
		if want.second < now.retaining || mayGo(now.cutting, want.author, want.seq) {
			continue
		}
		e, ok, err := s.Get(id)
		if err != nil || !ok || !seen[id] || e.Arrival != want.arrival {
			t.Fatalf("event %v, acknowledged as %d, is %d (%v, %v)", id, want.arrival, e.Arrival, ok, err)
		}
		gone := w.erased[id] || want.expiry > 0 && want.expiry <= w.expired
		mayGo := now.erasing[id] || want.expiry > 0 && want.expiry <= now.expiring
		if bare := e.Event.Content == nil; gone && !bare || bare && !mayGo {
			t.Errorf("event %v has no content: %v, was erased: %v", id, bare, gone)
		}
	}
	for key, want := range w.meta {
		val, err := s.Meta(key)
		if got, _ := strconv.Atoi(string(val)); err != nil || got < want || got > now.setting[key] {
			t.Errorf("value %s is %q, not %d to %d (%v)", key, val, want, now.setting[key], err)
		}
	}
	if s.Floor(room) < w.floor {
		t.Errorf("the floor is %d, not %d", s.Floor(room), w.floor)
	}
	for id := range w.fixture { // of the store that the script began with
		if ok, err := s.Has(id); !ok || err != nil {
			t.Fatalf("event %v of the earlier schema: %v, %v", id, ok, err)
		}
	}
	res := mustAppend(t, s, newAuthor(200).seal(t, event.LogID{3}, texts(1, 20)...))
	if res.Arrival <= now.newest {
		t.Errorf("number %d is given again: %d was told", res.Arrival, now.newest)
	}
}
