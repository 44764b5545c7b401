package eventlog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/event"
)

// withRuns is open with runs of n events.
func withRuns(t *testing.T, dir string, n int) *Store {
	t.Helper()
	p := profileFor(true)
	p.runLen = n
	s, err := openWith(t.Context(), Options{Dir: dir, Key: testKey}, p)
	must(t, err)
	t.Cleanup(func() { checkedClose(t, s) })
	return s
}

// found checks that just the events of the first batches are found, each where it is.
func found(t *testing.T, s *Store, batches []*event.Batch, stored int) {
	t.Helper()
	for i, b := range batches {
		for j := range b.Events {
			id := b.Events[j].ID
			e, ok, err := s.Get(id)
			if err != nil || ok != (i < stored) || ok && e.Event.ID != id {
				t.Fatalf("event %d of batch %d of %d is found: %v (%v)", j, i, stored, ok, err)
			}
		}
	}
}

// Events are found whether they lie in memory, in runs of any size, or in both after a kill,
// and runs do not become many; the same when there is room for the filters of few of them.
func TestEventsAreFoundInRuns(t *testing.T) {
	for _, filters := range []int{1 << 20, 200} {
		t.Run(fmt.Sprint(filters), func(t *testing.T) { findInRuns(t, filters) })
	}
}

func findInRuns(t *testing.T, filters int) {
	s := withRuns(t, t.TempDir(), 40)
	s.profile.filters = filters
	r := rand.New(rand.NewPCG(1, 2))
	authors := []*author{newAuthor(1), newAuthor(2), newAuthor(3)}
	var batches []*event.Batch
	for range 500 {
		a := authors[r.IntN(len(authors))]
		batches = append(batches, a.seal(t, event.LogID{byte(r.IntN(2) + 1)}, texts(1+r.IntN(9), 10)...))
	}
	const half = 450
	most := 0
	for i, b := range batches[:half] {
		res, err := s.Append(t.Context(), b, r.IntN(4) == 0)
		must(t, err)
		for j, isNew := range res.New {
			if !isNew {
				t.Fatalf("event %d of batch %d is not new", j, i)
			}
		}
		if res = mustAppend(t, s, batches[r.IntN(i+1)]); res.Arrival != 0 {
			t.Fatal("a batch that was stored is stored again")
		}
		if i%50 == 0 {
			must(t, s.Check(t.Context()))
		}
		asked(s, func() { most = max(most, len(s.ids.runs)) })
	}
	if asked(s, func() { t.Logf("%d runs, %d at most", len(s.ids.runs), most) }); most < runFanOut || most > 3*runFanOut {
		t.Errorf("there were %d runs", most)
	}
	found(t, s, batches, half)
	killed := withRuns(t, copyRunning(t, s), 40)
	found(t, killed, batches, half)
	must(t, killed.Check(t.Context()))
	checkedClose(t, s)
	again := withRuns(t, s.dir, 40)
	found(t, again, batches, half)
	if n := again.ids.waiting(); n != 0 {
		t.Errorf("%d events are read again after a clean end", n)
	}
	for _, b := range batches[half:] {
		mustAppend(t, again, b)
	}
	found(t, again, batches, len(batches))
}

// What retention deleted, or cuts, leaves the runs when they are merged, and is not found before.
func TestDeletedEventsLeaveTheRuns(t *testing.T) {
	t.Run("retention", func(t *testing.T) {
		deletedEventsLeave(t, func(s *Store, last *event.Event) error {
			floor := secondOf(last.HLC) + 1
			_, err := s.Retain(t.Context(), room, RetainOptions{Before: time.Unix(int64(floor), 0)})
			return err
		})
	})
	t.Run("cut", func(t *testing.T) {
		deletedEventsLeave(t, func(s *Store, last *event.Event) error {
			_, err := s.SetCuts(t.Context(), []Cut{{Author: last.Author}})
			return err
		})
	})
}

func deletedEventsLeave(t *testing.T, remove func(s *Store, last *event.Event) error) {
	s := withRuns(t, t.TempDir(), 40)
	a := newAuthor(1)
	var batches []*event.Batch
	for range 200 {
		b := a.seal(t, room, texts(5, 10)...)
		_, err := s.Append(t.Context(), b, true)
		must(t, err)
		batches = append(batches, b)
	}
	last := batches[len(batches)-1].Events[4]
	must(t, remove(s, &last))
	found(t, s, batches, 0)
	must(t, s.Check(t.Context()))
	other := newAuthor(2)
	other.hlc = last.HLC + 2_000<<16
	for range 600 {
		_, err := s.Append(t.Context(), other.seal(t, room, texts(5, 10)...), true)
		must(t, err)
	}
	entries := uint64(0)
	asked(s, func() {
		for _, r := range s.ids.runs {
			entries += r.count
		}
	})
	if entries > 3000 {
		t.Errorf("runs have %d entries of 3,000 events", entries)
	}
}

// A run that is written when power is lost is not listed, and goes when the store is opened.
func TestUnlistedRunsAreDeleted(t *testing.T) {
	s := withRuns(t, t.TempDir(), 200)
	a := newAuthor(1)
	var batches []*event.Batch
	for range 45 {
		batches = append(batches, a.seal(t, room, texts(5, 10)...))
		mustAppend(t, s, batches[len(batches)-1])
	}
	dir := copyRunning(t, s)
	unlisted := func(s *Store) (n int) {
		asked(s, func() {
			txn := s.db.NewTransaction(false)
			defer txn.Discard()
			keys, _, err := unlistedRuns(txn, s.ids.runs)
			must(t, err)
			n = len(keys)
		})
		return n
	}
	if unlisted(s) == 0 {
		t.Fatal("no run is under way")
	}
	again := withRuns(t, dir, 200)
	if n := unlisted(again); n != 0 {
		t.Errorf("%d blocks are left", n)
	}
	found(t, again, batches, len(batches))
}

// Where an event lies is a secret of its store, which keeps it: ids that are made to lie in one
// block are spread like others.
func TestNobodyChoosesWhereHisEventsLie(t *testing.T) {
	s, other := withRuns(t, t.TempDir(), 40), withRuns(t, t.TempDir(), 40)
	const ids, blocks = 4096, 256
	var entries [blocks]int
	for i := range ids {
		id := event.ID{12: byte(i >> 8), 13: byte(i)} // eight bytes are more than anybody can choose
		short := s.ids.shorten(&id)
		if short == other.ids.shorten(&id) {
			t.Fatalf("%v lies where it does in another store", id)
		}
		entries[short.prefix(8)]++
	}
	if most := slices.Max(entries[:]); most > 4*ids/blocks {
		t.Errorf("one block has %d of %d entries", most, ids)
	}
	key := s.ids.key
	checkedClose(t, s)
	if again := withRuns(t, s.dir, 40); again.ids.key != key {
		t.Error("an opened store has another key")
	}
}

// A filter that memory has no room for is not written either: that of millions of events would
// be larger than badger takes.
func TestNoFilterIsLargerThanMemoryHasRoom(t *testing.T) {
	for _, light := range []bool{true, false} {
		p := profileFor(light)
		if most := int64(p.filters); most >= p.vlogFile {
			t.Errorf("light %v: a filter may be as large as a file of values", light)
		}
		if f := newFilter(1<<30, p.filters); f != nil {
			t.Errorf("light %v: a filter of %d bytes", light, len(f))
		}
	}
	s := withRuns(t, t.TempDir(), 40)
	asked(s, func() { s.profile.filters = 100 })
	a := newAuthor(1)
	for range 400 {
		_, err := s.Append(t.Context(), a.seal(t, room, texts(2, 10)...), true)
		must(t, err)
	}
	merged := 0
	asked(s, func() {
		txn := s.db.NewTransaction(false)
		defer txn.Discard()
		for _, r := range s.ids.runs {
			f, err := get(txn, appendRunKey(nil, r.no, filterBlock))
			must(t, err)
			if len(f) > 100 {
				t.Errorf("the filter of a run of %d events has %d bytes", r.count, len(f))
			}
			if r.count > 300 && f == nil {
				merged++
			}
		}
	})
	if merged == 0 {
		t.Error("no run was merged")
	}
}

type countSyncs struct {
	prometheus.Counter
	n int
}

func (c *countSyncs) Inc() { c.n++ }

// A loss of power may take the older of what was not synced and leave the newer. So a run is
// listed after a sync of its blocks, and blocks of merged runs are deleted after one of the list.
func TestRunsChangeAfterSyncs(t *testing.T) {
	s := withRuns(t, t.TempDir(), 40)
	syncs := &countSyncs{Counter: s.metrics.syncs}
	asked(s, func() { s.metrics.syncs = syncs })
	a := newAuthor(1)
	written, left := make(map[uint32]int), make(map[uint32]int) // syncs when a run was whole, and when it was left out
	listed, deleted := make(map[uint32]bool), 0
	last := 0 // syncs at the look before: there may have been one between what is looked at and the look
	look := func() {
		x := &s.writer.indexing
		defer func() { last = syncs.n }()
		now := make(map[uint32]bool)
		for _, r := range s.ids.runs {
			now[r.no] = true
			if n, ok := written[r.no]; !listed[r.no] && (!ok || n == syncs.n) {
				t.Errorf("run %d is listed before it is synced", r.no)
			}
		}
		for no := range listed {
			if !now[no] {
				left[no] = syncs.n
				if len(x.old) > 0 && len(x.merged) == 0 {
					left[no] = last
				}
			}
		}
		if listed = now; len(x.old) > 0 {
			if deleted++; left[x.old[0].no] == syncs.n {
				t.Errorf("run %d is deleted before the list without it is synced", x.old[0].no)
			}
		}
		for _, w := range []*runWriter{x.flush, x.merge} {
			switch {
			case w == nil || !w.written:
			case !w.synced:
				written[w.no] = syncs.n
			case written[w.no] == 0:
				written[w.no] = last
			}
		}
	}
	for range 1000 {
		if _, err := s.Append(t.Context(), a.seal(t, room, texts(3, 10)...), a.seq[room]%40 == 0); err != nil {
			t.Fatal(err)
		}
		asked(s, look)
	}
	if len(left) < runFanOut || deleted == 0 {
		t.Errorf("%d runs were merged, at %d looks some were being deleted", len(left), deleted)
	}
}

// However fast events come, few of them are in no run: those are read again after a kill.
func TestRunsDoNotWaitLongForASync(t *testing.T) {
	s := withRuns(t, t.TempDir(), 100)
	a, most := newAuthor(1), uint64(0)
	for range 3000 {
		mustAppend(t, s, a.seal(t, room, texts(1, 0)...))
		asked(s, func() { most = max(most, s.writer.next-s.writer.indexing.indexed) })
	}
	if most > 350 {
		t.Errorf("%d events were in no run of 100", most)
	}
}

// Who sees an event in the history finds it by its id, at that moment too.
func TestWhatIsSeenIsFoundByItsID(t *testing.T) {
	s := open(t, t.TempDir())
	log, a, done := event.LogID{1}, newAuthor(1), make(chan struct{})
	go func() {
		defer close(done)
		for range 300 { // a sync lies between committing and telling
			if _, err := s.Append(t.Context(), a.seal(t, log, texts(1, 20)...), true); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		for e, err := range s.History(t.Context(), Query{Log: log, Limit: 3}) {
			if err != nil {
				t.Fatal(err)
			}
			if found, err := s.Has(e.Event.ID); err != nil || !found {
				t.Fatalf("event %d is seen and not found: %v", e.Event.Seq, err)
			}
		}
	}
}
