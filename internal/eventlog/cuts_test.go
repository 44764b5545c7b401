package eventlog

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// cutAt cuts an author behind an event.
func cutAt(e *event.Event) Cut {
	return Cut{Author: e.Author, At: unlimited, Named: map[event.LogID]Place{e.Log: {e.Seq, e.ID}}}
}

func setCuts(t testing.TB, s *Store, cuts ...Cut) int {
	t.Helper()
	n, err := s.SetCuts(t.Context(), cuts)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// What lies behind the place that a cut names goes, whatever holds it, and does not come again,
// until the cut is taken away. Others that name it as parent do not miss it.
func TestCut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a, b := newAuthor(1), newAuthor(2)
	b.hlc += 1000 << 16
	first := a.seal(t, room, texts(10, 100)...)
	mustAppend(t, s, first)
	second := a.seal(t, room, event.Draft{Kind: event.KindProfile, Payload: []byte("x"), Expiry: 1 << 40}, event.Draft{Payload: []byte("y")})
	mustAppend(t, s, second)
	child := event.Draft{Payload: []byte("a child"), Parents: []event.ID{second.Events[1].ID, first.Events[3].ID}}
	other := b.seal(t, room, event.Draft{Payload: []byte("one")})
	mustAppend(t, s, other)
	answer := b.seal(t, room, child)
	mustAppend(t, s, answer)

	place := &first.Events[6]
	if n := setCuts(t, s, cutAt(place)); n != 5 {
		t.Errorf("%d events were deleted, not 5", n)
	}
	kept := append(batchIDs(first)[:7], batchIDs(other, answer)...)
	slices.SortFunc(kept, event.ID.Compare)
	checkKept := func() {
		t.Helper()
		got := ids(collect(t, s.History(t.Context(), Query{Log: room})))
		slices.SortFunc(got, event.ID.Compare)
		same(t, "history", got, kept)
		same(t, "count", count(s, room), len(kept))
		sum, err := s.Range(room).Sum(reconcile.At(0), reconcile.At(reconcile.Infinity))
		must(t, err)
		same(t, "sum", sum.Count, uint64(len(kept)))
		for i, id := range batchIDs(first, second) {
			ok, err := s.Has(id)
			must(t, err)
			_, got, err := s.Get(id)
			must(t, err)
			if want := i < 7; ok != want || got != want {
				t.Errorf("event %d is there: %v, %v", i, ok, got)
			}
		}
		seq, id, err := s.Last(room, a.id)
		must(t, err)
		same(t, "last", Place{seq, id}, Place{place.Seq, place.ID})
		heads, err := s.Heads(room)
		must(t, err)
		want := []event.ID{answer.Events[0].ID, place.ID}
		same(t, "heads", heads, want)
		missing, err := s.Missing(room)
		must(t, err)
		same(t, "missing", missing, nil)
	}
	checkKept()
	for range 2 {
		res := mustAppend(t, s, second)
		same(t, "cut", res.Cut, []int{0, 1})
		same(t, "new", res.New, []bool{false, false})
		res = mustAppend(t, s, first)
		same(t, "cut", res.Cut, []int{7, 8, 9})
		if _, err := s.AppendWith(t.Context(), first, true); !errors.Is(err, ErrCut) {
			t.Errorf("the own author's: %v", err)
		}
		same(t, "refused", s.Refused(second.Events[0].ID), true)
		same(t, "cut events of a batch", s.Cut(first), 3)
		checkKept()
		must(t, s.Check(t.Context()))
		checkedClose(t, s)
		s = open(t, dir)
		checkKept()
	}
	same(t, "deleted again", setCuts(t, s, cutAt(place)), 0)
	same(t, "deleted by none", setCuts(t, s), 0)
	checkKept()
	same(t, "refused", s.Refused(second.Events[0].ID), false)
	same(t, "came again", mustAppend(t, s, first).New, []bool{false, false, false, false, false, false, false, true, true, true})
	same(t, "came again", mustAppend(t, s, second).New, []bool{true, true})
	kept = batchIDs(first, second, other, answer)
	slices.SortFunc(kept, event.ID.Compare)
	got := ids(collect(t, s.History(t.Context(), Query{Log: room})))
	slices.SortFunc(got, event.ID.Compare)
	same(t, "history", got, kept)
	heads, err := s.Heads(room)
	must(t, err)
	same(t, "heads", heads, batchIDs(answer))
	same(t, "deleted", setCuts(t, s, cutAt(place)), 5)
}

// Who names an event that was cut, or that is when it comes, does not miss it; one that was never heard of
// is missing.
func TestChildrenOfWhatIsCut(t *testing.T) {
	s := open(t, t.TempDir())
	a, b := newAuthor(1), newAuthor(2)
	first, gone, late := a.seal(t, room, texts(1, 10)...), a.seal(t, room, texts(1, 10)...), a.seal(t, room, texts(1, 10)...)
	mustAppend(t, s, first)
	mustAppend(t, s, gone)
	setCuts(t, s, cutAt(&first.Events[0]))
	names := func(ids ...event.ID) *event.Batch {
		return b.seal(t, room, event.Draft{Payload: []byte("an answer"), Parents: ids})
	}
	missing := func(want ...event.ID) {
		t.Helper()
		got, err := s.Missing(room)
		must(t, err)
		same(t, "missing", got, want)
		complete, err := s.Complete(room)
		must(t, err)
		same(t, "complete", complete, len(want) == 0)
		must(t, s.Check(t.Context()))
	}
	same(t, "missing", mustAppend(t, s, names(batchIDs(gone)...)).Missing, nil)
	missing()
	same(t, "missing", mustAppend(t, s, names(batchIDs(late)...)).Missing, batchIDs(late))
	missing(batchIDs(late)...)
	mustAppend(t, s, late)
	missing()
	same(t, "missing", mustAppend(t, s, names(batchIDs(late)...)).Missing, nil)
	missing()
}

// In logs that a cut does not name the hlc decides; a log that is not known yet is no exception.
func TestCutByTime(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	logs := []event.LogID{{1}, {2}, {3}}
	var all []*event.Batch
	for i := range 30 {
		b := a.seal(t, logs[i%2], texts(1+i%4, 10)...)
		mustAppend(t, s, b)
		all = append(all, b)
	}
	e := &all[14].Events[1]
	cut := Cut{Author: a.id, At: e.HLC, Named: map[event.LogID]Place{logs[1]: {}}}
	setCuts(t, s, cut)
	for _, b := range all {
		for i := range b.Events {
			x := &b.Events[i]
			ok, err := s.Has(x.ID)
			must(t, err)
			if want := x.Log == logs[0] && x.HLC <= e.HLC; ok != want {
				t.Errorf("seq %d of %v: %v", x.Seq, x.Log[0], ok)
			}
		}
	}
	authors, err := s.Authors(logs[1], 9)
	must(t, err)
	same(t, "authors", len(authors), 0)
	old, unknown := newAuthor(1), event.LogID{4}
	same(t, "unknown log", mustAppend(t, s, a.seal(t, unknown, texts(2, 10)...)).Cut, []int{0, 1})
	same(t, "unknown log", mustAppend(t, s, old.seal(t, logs[2], texts(2, 10)...)).New, []bool{true, true})
	checkedClose(t, s)
	s = open(t, dir)
	same(t, "logs", s.Stats().Logs, 3)
}

// Two cuts of one author: an event counts if both let it, in whatever order they are set.
func TestSeveralCutsOfOneAuthor(t *testing.T) {
	a := newAuthor(1)
	b := a.seal(t, room, texts(10, 10)...)
	at := func(seq int) Cut { return cutAt(&b.Events[seq-1]) }
	byTime := Cut{Author: a.id, At: b.Events[3].HLC}
	rival := cutAt(&b.Events[6])
	rival.Named = map[event.LogID]Place{room: {7, event.ID{9}}}
	for _, x := range []struct {
		cuts []Cut
		kept int
	}{
		{[]Cut{at(7), at(5)}, 5},
		{[]Cut{at(7), byTime}, 4},
		{[]Cut{at(3), byTime}, 3},
		{[]Cut{at(7), rival}, 6},
		{[]Cut{at(7), {Author: a.id, At: unlimited}}, 7},
	} {
		for range 2 {
			s := open(t, t.TempDir())
			mustAppend(t, s, b)
			setCuts(t, s, x.cuts...)
			same(t, "kept", count(s, room), x.kept)
			slices.Reverse(x.cuts)
			same(t, "changed", s.changedCuts(must2(t)(joinCuts(x.cuts))), nil)
		}
	}
}

func must2(t *testing.T) func(cutSet, error) cutSet {
	return func(c cutSet, err error) cutSet { must(t, err); return c }
}

func TestCutsAreBounded(t *testing.T) {
	s := open(t, t.TempDir())
	cuts := make([]Cut, maxCutAuthors+1)
	for i := range cuts {
		cuts[i] = Cut{Author: event.Author{byte(i), byte(i >> 8)}, At: 5}
	}
	if _, err := s.SetCuts(t.Context(), cuts); err == nil {
		t.Error("too many authors")
	}
	setCuts(t, s, cuts[1:]...)
	same(t, "authors", len(s.cutsNow()), maxCutAuthors)
	many := Cut{At: 5, Named: make(map[event.LogID]Place)}
	for i := range maxCutNamed {
		many.Named[event.LogID{byte(i), byte(i >> 8)}] = Place{Seq: 1}
	}
	cuts = cuts[:maxCutPlaces/maxCutNamed]
	for i := range cuts {
		cuts[i].Named = many.Named
	}
	setCuts(t, s, cuts...)
	dir := s.dir
	checkedClose(t, s)
	s = open(t, dir)
	same(t, "authors", len(s.cutsNow()), len(cuts))
	for _, more := range []Cut{{Author: event.Author{1, 2, 3}, Named: map[event.LogID]Place{{5}: {}}}, {Author: cuts[0].Author, Named: map[event.LogID]Place{{1, 0xff}: {}}}} {
		if _, err := s.SetCuts(t.Context(), append(slices.Clone(cuts), more)); err == nil {
			t.Error("too many logs")
		}
	}
	same(t, "authors", len(s.cutsNow()), len(cuts))
}

// A cut that was set and not put into effect is when the store is opened, or at the next SetCuts.
func TestCutIsEndedLater(t *testing.T) {
	for _, reopen := range []bool{true, false} {
		dir := t.TempDir()
		s := open(t, dir)
		a := newAuthor(1)
		b := a.seal(t, room, texts(10, 100)...)
		mustAppend(t, s, b)
		set, err := joinCuts([]Cut{cutAt(&b.Events[4])})
		must(t, err)
		must(t, s.storeCuts(t.Context(), s.changedCuts(set)))
		must(t, s.Check(t.Context()))
		same(t, "count", count(s, room), 10)
		if reopen {
			checkedClose(t, s)
			s = open(t, dir)
		} else {
			same(t, "deleted", setCuts(t, s, cutAt(&b.Events[4])), 5)
		}
		same(t, "count", count(s, room), 5)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if n, err := s.SetCuts(ctx, nil); !errors.Is(err, context.Canceled) || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
	}
}
