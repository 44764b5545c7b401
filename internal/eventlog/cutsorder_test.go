package eventlog

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// What counts is a function of the events that came and of the cuts that are set: it makes no difference
// when, and in which steps, as long as no step cuts more.
//
// spec: 06-sync M16
func TestCutsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt, t)
		for range rapid.IntRange(1, 8).Draw(rt, "sealed") {
			w.seal()
		}
		cuts := w.drawCuts()
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		defer os.RemoveAll(dir)
		first, other := open(t, dir+"/first"), open(t, dir+"/other")
		defer func() {
			checkedClose(rt, first)
			checkedClose(rt, other)
		}()

		set := func(s *Store, cuts []Cut) {
			_, err := s.SetCuts(t.Context(), cuts)
			must(t, err)
		}
		set(first, cuts)
		for _, b := range w.sealed {
			mustAppend(t, first, b)
		}
		n, order := 0, rapid.Permutation(w.sealed).Draw(rt, "order")
		for _, b := range order {
			if n < len(cuts) && rapid.IntRange(0, 2).Draw(rt, "cut") == 0 {
				n++
				set(other, cuts[:n])
			}
			mustAppend(t, other, b)
		}
		set(other, cuts)
		sameLogs(t, rt, other, first, w)
		if rapid.Bool().Draw(rt, "reopen") {
			checkedClose(rt, other)
			other = open(t, dir+"/other")
			sameLogs(t, rt, other, first, w)
		}
	})
}

// sameLogs compares all but the order of arrival, and what is missing.
func sameLogs(t *testing.T, rt interface{ Fatalf(string, ...any) }, got, want *Store, w *world) {
	t.Helper()
	for _, log := range w.logs {
		for what, of := range map[string]func(s *Store) (any, error){
			"history": func(s *Store) (any, error) { return ids(collect(t, s.History(t.Context(), Query{Log: log}))), nil },
			"control": func(s *Store) (any, error) { return ids(collect(t, s.Control(t.Context(), log))), nil },
			"heads":   func(s *Store) (any, error) { return s.Heads(log) },
			"sum": func(s *Store) (any, error) {
				return s.Range(log).Sum(reconcile.At(0), reconcile.At(reconcile.Infinity))
			},
			"authors": func(s *Store) (any, error) { return s.Authors(log, 9) },
			"forks": func(s *Store) (any, error) {
				_, rec := s.logs.record(log)
				return rec.forks, nil
			},
		} {
			have, err := of(got)
			must(t, err)
			should, err := of(want)
			must(t, err)
			if !reflect.DeepEqual(have, should) {
				rt.Fatalf("%s of %v: %v, want %v", what, log[0], have, should)
			}
		}
		for _, a := range w.authors {
			have, err := got.Author(log, a.id)
			must(t, err)
			should, err := want.Author(log, a.id)
			must(t, err)
			if !reflect.DeepEqual(have, should) {
				rt.Fatalf("author: %+v, want %+v", have, should)
			}
		}
	}
}

// A store that is killed after any commit of a SetCuts has all of it done when it is opened again,
// or nothing.
func TestCutIsWholeAfterAKill(t *testing.T) {
	s := open(t, t.TempDir())
	a, b := newAuthor(1), newAuthor(2)
	var place *event.Event
	for i := range 600 {
		x := a.seal(t, room, texts(1+i%3, 40)...)
		mustAppend(t, s, x)
		if i == 50 {
			place = &x.Events[0]
		}
		d := event.Draft{Payload: []byte("an answer"), Parents: batchIDs(x)[:1]}
		mustAppend(t, s, b.seal(t, room, d))
	}
	mustAppend(t, s, a.seal(t, event.LogID{2}, texts(9, 9)...))
	cut := cutAt(place)
	cut.Named[event.LogID{2}] = Place{Seq: 4}
	whole := count(s, room)
	var copies []string
	asked(s, func() {
		s.metrics.commits = afterEach{s.metrics.commits, func() { copies = append(copies, copyRunning(t, s)) }}
	})
	deleted := setCuts(t, s, cut)
	asked(s, func() { s.metrics.commits = s.metrics.commits.(afterEach).Histogram })
	same(t, "kept", count(s, room), whole-deleted+6)
	w := &world{logs: []event.LogID{room, {2}}, authors: []*author{a, b}}
	if len(copies) < 8 {
		t.Fatalf("only %d commits", len(copies))
	}
	for i, dir := range copies {
		c := open(t, dir)
		must(t, c.Check(t.Context()))
		same(t, "unswept", len(c.unswept()), 0)
		if n := count(c, room); n != count(s, room) && n != whole {
			t.Errorf("after commit %d: %d events", i, n)
		}
		setCuts(t, c, cut)
		sameLogs(t, t, c, s, w)
		checkedClose(t, c)
		must(t, os.RemoveAll(dir))
	}
}

// That all is deleted is noted after a sync of that: of what is not synced, a loss of power may take the
// earlier and leave the later.
func TestThatAllIsCutIsNotedAfterASync(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(9, 10)...)
	mustAppend(t, s, b)
	var seen []string
	note := func(what string) {
		if s.cutsNow()[a.id].swept {
			what = "noted"
		}
		seen = append(seen, what)
	}
	asked(s, func() {
		s.metrics.commits = afterEach{s.metrics.commits, func() { note("commit") }}
		s.metrics.syncs = afterEachSync{s.metrics.syncs, func() { note("sync") }}
	})
	_, err := s.SetCuts(t.Context(), []Cut{cutAt(&b.Events[2])})
	must(t, err)
	asked(s, func() {
		i := slices.Index(seen, "noted")
		if i < 3 || !slices.Contains(seen[i-2:i], "sync") {
			t.Errorf("%q", seen)
		}
	})
}

// While what a cut has left is made anew, others write: children and parents of what is gone, contents of
// what is there, whole batches.
func TestEventsThatComeWhileACutIsPutIntoEffect(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a, b, c := newAuthor(1), newAuthor(2), newAuthor(3)
	var chain []*event.Batch
	for range 6 {
		chain = append(chain, a.seal(t, room, texts(2, 10)...))
		mustAppend(t, s, chain[len(chain)-1])
	}
	whole := b.seal(t, room, event.Draft{Payload: []byte("later"), Parents: batchIDs(chain[5])[1:]}, event.Draft{Payload: []byte("x")})
	mustAppend(t, s, decoded(t, whole.Erase, 0))
	lost := b.seal(t, room, texts(1, 10)...)
	orphan := b.seal(t, room, event.Draft{Payload: []byte("names what is gone"), Parents: batchIDs(chain[4])[:1]})
	mustAppend(t, s, orphan)

	cut := cutAt(&chain[2].Events[0])
	set, err := joinCuts([]Cut{cut})
	must(t, err)
	must(t, s.storeCuts(t.Context(), s.changedCuts(set)))
	// as sweepLog does
	no, _ := s.logs.number(room)
	sweep := sweeping{s: s, no: no, log: room, authors: make(map[event.Author]*limit)}
	must(t, sweep.choose([]event.Author{a.id}))
	portion, _, err := sweep.next(t.Context())
	must(t, err)
	must(t, s.change(t.Context(), 1, false, func(g *group) error {
		_, err := g.cutPayloads(room, portion)
		return err
	}))
	must(t, s.Check(t.Context()))
	m, err := s.newMending(t.Context(), no, []event.Author{a.id})
	must(t, err)
	later := []*event.Batch{
		lost, whole,
		c.seal(t, room, event.Draft{Payload: []byte("answers"), Parents: []event.ID{chain[2].Events[0].ID, chain[3].Events[1].ID}}),
		c.seal(t, event.LogID{2}, texts(3, 3)...), c.seal(t, room, texts(3, 3)...), chain[2], chain[4],
	}
	for _, x := range later {
		mustAppend(t, s, x)
	}
	must(t, m.finish(t.Context()))
	m.snap.Discard()
	must(t, s.noteSwept(t.Context(), []event.Author{a.id}))
	must(t, s.Check(t.Context()))

	want := open(t, t.TempDir())
	setCuts(t, want, cut)
	for _, x := range slices.Concat(chain, []*event.Batch{orphan}, later) {
		mustAppend(t, want, x)
	}
	w := &world{logs: []event.LogID{room, {2}}, authors: []*author{a, b, c}}
	sameLogs(t, t, s, want, w)
	missing, err := s.Missing(room)
	must(t, err)
	same(t, "missing", missing, nil)
}

// Of two events at the place that a cut names the one that it names counts, whichever came first.
func TestForkAtTheCut(t *testing.T) {
	for _, named := range []int{0, 1} {
		for _, cutAfter := range []int{0, 1, 2} {
			s := open(t, t.TempDir())
			a := newAuthor(1)
			mustAppend(t, s, a.seal(t, room, texts(3, 10)...))
			fork := *a
			fork.seq, fork.last = maps.Clone(a.seq), maps.Clone(a.last)
			rivals := []*event.Batch{a.seal(t, room, texts(1, 10)...), fork.seal(t, room, texts(2, 20)...)}
			for i, b := range rivals {
				if i == cutAfter {
					setCuts(t, s, cutAt(&rivals[named].Events[0]))
				}
				mustAppend(t, s, b)
			}
			setCuts(t, s, cutAt(&rivals[named].Events[0]))
			st, err := s.Author(room, a.id)
			must(t, err)
			same(t, "author", st, AuthorState{LastSeq: 4, LastID: rivals[named].Events[0].ID})
			heads, err := s.Heads(room)
			must(t, err)
			same(t, "heads", heads, []event.ID{st.LastID})
			_, rec := s.logs.record(room)
			same(t, "forks", rec.forks, 0)
		}
	}
}

// What was erased stays erased, if it is cut and comes again.
func TestErasedStaysErasedThroughACut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	b := a.seal(t, room, texts(4, 100)...)
	mustAppend(t, s, b)
	if n, err := s.Erase(t.Context(), b.Events[3].ID); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	setCuts(t, s, cutAt(&b.Events[1]))
	mustAppend(t, s, b)
	if n, err := s.Erase(t.Context(), b.Events[3].ID, b.Events[2].ID); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	checkedClose(t, s)
	s = open(t, dir)
	setCuts(t, s)
	same(t, "came again", mustAppend(t, s, b).New, []bool{false, false, true, true})
	for range 2 {
		for i, has := range []bool{true, true, true, false} {
			if e, ok, err := s.Get(b.Events[i].ID); !ok || err != nil || (e.Event.Content != nil) != has {
				t.Errorf("event %d: there %v, content of %d bytes (%v)", i, ok, len(e.Event.Content), err)
			}
		}
		same(t, "came again", mustAppend(t, s, b).Arrival, 0)
		checkedClose(t, s)
		s = open(t, dir)
	}
}

// Seqs of what retention has deleted do not count behind a cut either.
func TestCutBehindWhatRetentionDeleted(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	all := spreadOut(t, s, a, 200, 10)
	_, err := s.Retain(t.Context(), room, RetainOptions{Before: before(all[150])})
	must(t, err)
	for _, x := range []struct {
		cut  Cut
		last Place
		kept int
	}{
		{cutAt(&all[180].Events[4]), Place{1805, all[180].Events[4].ID}, 305},
		{cutAt(&all[90].Events[4]), Place{905, all[90].Events[4].ID}, 0},
		{cutAt(&all[50].Events[9]), Place{510, all[50].Events[9].ID}, 0},
		{Cut{Author: a.id, At: unlimited, Named: map[event.LogID]Place{room: {}}}, Place{}, 0},
	} {
		setCuts(t, s, x.cut)
		st, err := s.Author(room, a.id)
		must(t, err)
		same(t, "last", Place{st.LastSeq, st.LastID}, x.last)
		same(t, "gaps", len(st.Gaps), 0)
		same(t, "kept", count(s, room), x.kept)
	}
	same(t, "is below", len(mustAppend(t, s, all[10]).Cut), 10)
}

// A salvaged store refuses what the damaged one did.
func TestSalvageKeepsCuts(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(10, 100)...)
	mustAppend(t, s, b)
	mustAppend(t, s, a.seal(t, room, texts(10, 100)...))
	cut := cutAt(&b.Events[3])
	setCuts(t, s, cut)
	dir := s.dir
	checkedClose(t, s)
	salvage(t, dir)
	s = open(t, dir)
	same(t, "kept", count(s, room), 4)
	same(t, "cut", mustAppend(t, s, b).Cut, []int{4, 5, 6, 7, 8, 9})
	same(t, "deleted", setCuts(t, s, cut), 0)
}

// Cutting waits for retention and the other way round, and for nobody longer than the caller wants.
func TestOneDeletesAtATime(t *testing.T) {
	s := open(t, t.TempDir())
	leave, err := s.deleting.enter(t.Context())
	must(t, err)
	done := make(chan int)
	go func() {
		n, _ := s.SetCuts(t.Context(), []Cut{{Author: newAuthor(1).id}})
		done <- n
	}()
	select {
	case <-done:
		t.Error("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	leave()
	<-done
	same(t, "cuts", len(s.cutsNow()), 1)
}
