package eventlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// spreadOut appends batches of 10 events, a batch every 100 s, and returns them.
func spreadOut(t *testing.T, s *Store, a *author, batches, size int) (out []*event.Batch) {
	t.Helper()
	for range batches {
		a.hlc += 100_000 << 16
		b := a.seal(t, room, texts(10, size)...)
		mustAppend(t, s, b)
		out = append(out, b)
	}
	return out
}

func before(b *event.Batch) time.Time { return b.Events[0].HLC.Time() }

func TestRetainByAge(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	all := spreadOut(t, s, a, 20, 100)
	last, err := s.Author(room, a.id)
	must(t, err)
	kept := all[3].Events[4].ID
	r, err := s.Retain(t.Context(), room, RetainOptions{Before: before(all[12]), Keep: func(e *Entry) bool { return e.Event.ID == kept }})
	if err != nil || r.Payloads != 11 || r.Events != 110 || r.Floor != uint64(before(all[12]).Unix()) || r.Bytes == 0 {
		t.Fatalf("%+v (%v)", r, err)
	}
	must(t, s.Check(t.Context()))
	want := append(batchIDs(all[3]), batchIDs(all[12:]...)...)
	if got := ids(collect(t, s.History(t.Context(), Query{Log: room}))); !slices.Equal(got, want) {
		t.Errorf("%d events are left, want %d", len(got), len(want))
	}
	if sum, err := s.Range(room).Sum(reconcile.At(0), reconcile.At(reconcile.Infinity)); err != nil || sum.Count != 80 {
		t.Errorf("%d events in the range (%v)", sum.Count, err)
	}
	if st, err := s.Author(room, a.id); err != nil || st.LastSeq != last.LastSeq || st.LastID != last.LastID || len(st.Gaps) > 0 {
		t.Errorf("author %+v, was %+v (%v)", st, last, err)
	}
	res := mustAppend(t, s, all[2])
	if len(res.Below) != 10 || slices.Contains(res.New, true) || res.Arrival != 0 {
		t.Errorf("below the floor: %+v", res)
	}
	if _, err := s.Retain(t.Context(), room, RetainOptions{Before: before(all[1])}); err != nil || s.Floor(room) != r.Floor {
		t.Errorf("the floor went from %d to %d (%v)", r.Floor, s.Floor(room), err)
	}
	mustAppend(t, s, a.seal(t, room, texts(1, 1)...)) // the author goes on
	same(t, "kept from the second call on", len(collect(t, s.History(t.Context(), Query{Log: room}))), 81)
}

func TestRetainBySize(t *testing.T) {
	s := open(t, t.TempDir())
	all := spreadOut(t, s, newAuthor(1), 20, 1000)
	one := int64(len(all[0].Payload()))
	keepFirst := func(e *Entry) bool { return e.Event.ID == all[0].Events[0].ID }
	for _, most := range []int64{15 * one, 15 * one, 5*one + 100} {
		r, err := s.Retain(t.Context(), room, RetainOptions{MaxBytes: most, Keep: keepFirst})
		must(t, err)
		_, rec := s.logs.record(room)
		if int64(rec.bytes) > most || int64(rec.bytes) < most-one-one/10 {
			t.Errorf("%d bytes are left of %d: %+v", rec.bytes, most, r)
		}
	}
	if ok, err := s.Has(all[0].Events[0].ID); !ok || err != nil {
		t.Error("what was to be kept is gone", err)
	}
}

// A floor can be there before the first event: what lies below it never comes.
func TestFloorOfAnEmptyLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	b := a.seal(t, room, texts(2, 10)...)
	r, err := s.Retain(t.Context(), room, RetainOptions{Before: b.Events[0].HLC.Time().Add(time.Hour)})
	must(t, err)
	checkedClose(t, s)
	s = open(t, dir)
	if s.Floor(room) != r.Floor || r.Floor == 0 {
		t.Errorf("the floor is %d, was %d", s.Floor(room), r.Floor)
	}
	if res := mustAppend(t, s, b); len(res.Below) != 2 {
		t.Errorf("%+v", res)
	}
}

// A batch on both sides of the floor stays; of one that comes later what lies
// below is refused, and nobody looks for it.
func TestBatchOnBothSidesOfTheFloor(t *testing.T) {
	s := open(t, t.TempDir())
	draw := func(a *author) *event.Batch {
		d := texts(4, 10)
		for i := range d {
			d[i].HLC = hlcOf(1_700_000_000 + uint64(i))
		}
		return a.seal(t, room, d...)
	}
	first, second := draw(newAuthor(1)), draw(newAuthor(2))
	mustAppend(t, s, first)
	r, err := s.Retain(t.Context(), room, RetainOptions{Before: time.Unix(1_700_000_002, 0)})
	if err != nil || r.Events != 0 {
		t.Fatalf("%+v (%v)", r, err)
	}
	res := mustAppend(t, s, second)
	if !slices.Equal(res.New, []bool{false, false, true, true}) || !slices.Equal(res.Below, []int{0, 1}) || len(res.Missing) > 0 {
		t.Errorf("%+v", res)
	}
	if missing, err := s.Missing(room); err != nil || len(missing) > 0 {
		t.Errorf("missing %v (%v)", missing, err)
	}
	if sum, err := s.Range(room).Sum(reconcile.At(0), reconcile.At(reconcile.Infinity)); err != nil || sum.Count != 4 {
		t.Errorf("%d events in the range (%v)", sum.Count, err)
	}
}

// Forks and late children across a floor: what is deleted still counts as there
// for seqs, and loose ends stay consistent.
func TestRetainWithForksAndLooseEnds(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	all := spreadOut(t, s, a, 6, 10)
	seal := func(seq uint64, last event.ID, at event.HLC, parents ...event.ID) *event.Batch {
		x := newAuthor(1)
		x.seq[room], x.last[room] = seq, last
		return x.seal(t, room, event.Draft{HLC: at, Payload: []byte{byte(at)}, Parents: parents})
	}
	root := all[0].Events[4]
	high := all[5].Events[9].HLC + 1<<32
	phantom := event.ID{1}
	fork := seal(root.Seq, root.ID, all[1].Events[0].HLC+7, phantom) // goes, too
	mustAppend(t, s, fork)
	r, err := s.Retain(t.Context(), room, RetainOptions{Before: before(all[3])})
	if err != nil || r.Events != 31 {
		t.Fatalf("%+v (%v)", r, err)
	}
	if missing, err := s.Missing(room); err != nil || len(missing) > 0 {
		t.Errorf("missing %v, which nothing names any more (%v)", missing, err)
	}
	must(t, s.Check(t.Context()))
	third := seal(root.Seq, root.ID, high)
	if res := mustAppend(t, s, third); len(res.Forks) != 1 {
		t.Errorf("a third event of one seq: %+v", res)
	}
	must(t, s.Check(t.Context()))
	e, ok, err := s.Get(third.Events[0].ID)
	if !ok || err != nil || !e.Fork {
		t.Errorf("the fork shows as %v (%v)", e.Fork, err)
	}
	if r, err = s.Retain(t.Context(), room, RetainOptions{Before: (high + 1<<32).Time()}); err != nil || r.Events != 31 {
		t.Fatalf("%+v (%v)", r, err)
	}
	must(t, s.Check(t.Context()))
	st, err := s.Author(room, a.id)
	if err != nil || len(st.Gaps) > 0 || !slices.Equal(st.Forks, []Run{{root.Seq + 1, root.Seq + 1}}) {
		t.Errorf("author %+v (%v)", st, err)
	}
}

// A call that is cut short leaves a store that fits together, and the next goes on.
func TestRetainGoesOn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	all := spreadOut(t, s, newAuthor(1), 200, 10)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	r, err := s.Retain(ctx, room, RetainOptions{Before: before(all[190]), Keep: func(*Entry) bool {
		if n++; n == 1500 {
			cancel()
		}
		return false
	}})
	if !errors.Is(err, context.Canceled) || r.Events == 0 || r.Events >= 1900 {
		t.Fatalf("%+v (%v)", r, err)
	}
	c := open(t, copyRunning(t, s)) // as after a kill
	must(t, c.Check(t.Context()))
	if more, err := c.Retain(t.Context(), room, RetainOptions{}); err != nil || more.Events != 1900-r.Events {
		t.Errorf("%+v after %+v (%v)", more, r, err)
	}
}

func TestSettle(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	lost := a.seal(t, room, texts(1, 10)...)
	mustAppend(t, s, a.seal(t, room, texts(1, 10)...))
	missing, err := s.Missing(room)
	must(t, err)
	same(t, "missing", missing, batchIDs(lost))
	must(t, s.Settle(t.Context(), room, append(missing, event.ID{77})))
	must(t, s.Settle(t.Context(), event.LogID{9}, missing))
	checkedClose(t, s)
	s = open(t, dir)
	if missing, err = s.Missing(room); err != nil || len(missing) > 0 {
		t.Errorf("missing %v (%v)", missing, err)
	}
	heads, err := s.Heads(room)
	must(t, err)
	if res := mustAppend(t, s, lost); !res.New[0] {
		t.Errorf("%+v", res)
	}
	after, err := s.Heads(room)
	must(t, err)
	same(t, "heads", after, heads)
}

// Deleting makes room on a disk that is too full to append, and gives it back.
func TestRetainGivesTheDiskBack(t *testing.T) {
	if testing.Short() {
		t.Skip("100 MB are written")
	}
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	for range 900 {
		a.hlc += 60_000 << 16
		mustAppend(t, s, a.seal(t, room, texts(100, 1000)...))
	}
	full := s.profile.reserve - 1<<20
	asked(s, func() { s.free = func(string) (uint64, error) { return full, nil } })
	if _, err := s.Append(t.Context(), a.seal(t, room, texts(1, 1)...), false); !errors.Is(err, ErrDiskFull) {
		t.Error(err)
	}
	size := diskUse(t, dir)
	r, err := s.Retain(t.Context(), room, RetainOptions{MaxBytes: 10 << 20})
	must(t, err)
	asked(s, func() { s.free = freeBytes })
	must(t, s.Reclaim(t.Context()))
	live := diskUse(t, dir)
	checkedClose(t, s)
	s = open(t, dir)
	must(t, s.Reclaim(t.Context()))
	checkedClose(t, s)
	after := diskUse(t, dir)
	t.Logf("%d MB, %d MB after reclaiming, %d MB after opening again: %+v", size>>20, live>>20, after>>20, r)
	if after > 40<<20 || size < 90<<20 {
		t.Errorf("%d MB of %d MB are in use after all but 10 MB were deleted", after>>20, size>>20)
	}
}

// diskUse is what the files of a store have in data; what badger has mapped beyond
// is sparse.
func diskUse(t *testing.T, dir string) (n int64) {
	t.Helper()
	eachFile(t, dir, func(path string) {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		must(t, err)
		if ext := filepath.Ext(path); ext == ".vlog" || ext == ".mem" {
			n += used(data)
		} else {
			n += int64(len(data))
		}
	})
	return n
}

// A parent that is fetched and turns out to lie below the floor is looked for no more.
func TestMissingParentBelowTheFloor(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	parent := a.seal(t, room, texts(1, 10)...)
	a.hlc += 1_000_000 << 16
	child := a.seal(t, room, texts(1, 10)...)
	if res := mustAppend(t, s, child); len(res.Missing) != 1 {
		t.Fatalf("%+v", res)
	}
	if _, err := s.Retain(t.Context(), room, RetainOptions{Before: before(child)}); err != nil {
		t.Fatal(err)
	}
	if missing, err := s.Missing(room); err != nil || len(missing) != 1 {
		t.Errorf("missing %v (%v)", missing, err)
	}
	if res := mustAppend(t, s, parent); len(res.Below) != 1 {
		t.Errorf("%+v", res)
	}
	if missing, err := s.Missing(room); err != nil || len(missing) > 0 {
		t.Errorf("missing %v (%v)", missing, err)
	}
}

// A parent that came, was deleted and is named again by something older than what
// named it first is missing since then: the store is in order.
func TestDeletedParentIsNamedAgain(t *testing.T) {
	s := open(t, t.TempDir())
	a, other := newAuthor(1), newAuthor(2)
	parent := a.seal(t, room, texts(1, 10)...)
	a.hlc += 200_000 << 16
	mustAppend(t, s, a.seal(t, room, texts(1, 10)...)) // names it while it is missing
	mustAppend(t, s, parent)
	if r, err := s.Retain(t.Context(), room, RetainOptions{Before: before(parent).Add(time.Minute)}); err != nil || r.Events != 1 {
		t.Fatal(r, err)
	}
	other.hlc += 100_000 << 16
	d := texts(1, 10)
	d[0].Parents = batchIDs(parent)
	other.seal(t, room, texts(1, 10)...) // an event without a predecessor has no parents
	if res := mustAppend(t, s, other.seal(t, room, d...)); !slices.Contains(res.Missing, parent.Events[0].ID) {
		t.Fatalf("%+v", res)
	}
	checkedClose(t, s)
}

// What retention deleted looks, after a kill, like what a loss of power took: records are made anew. Heads
// and missing parents that waited for a checkpoint are among them, above a floor too.
func TestEndsThatWaitedAboveAFloorAreMadeAnew(t *testing.T) {
	s := open(t, t.TempDir())
	a, b := newAuthor(1), newAuthor(2)
	mustAppend(t, s, a.seal(t, room, texts(3, 10)...))
	a.hlc += 100_000 << 16
	b.hlc = a.hlc
	mustAppend(t, s, a.seal(t, room, texts(3, 10)...))
	r, err := s.Retain(t.Context(), room, RetainOptions{Before: time.Unix(1_700_000_050, 0)})
	if err != nil || r.Payloads != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	b.seal(t, room, texts(1, 10)...) // never comes
	mustAppend(t, s, b.seal(t, room, texts(2, 10)...))
	mustAppend(t, s, a.seal(t, room, texts(2, 10)...))
	killed := open(t, copyRunning(t, s))
	for name, ends := range map[string]func(s *Store) ([]event.ID, error){
		"heads":   func(s *Store) ([]event.ID, error) { return s.Heads(room) },
		"missing": func(s *Store) ([]event.ID, error) { return s.Missing(room) },
	} {
		want, err := ends(s)
		must(t, err)
		if got, err := ends(killed); err != nil || len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v (%v)", name, got, want, err)
		}
	}
}
