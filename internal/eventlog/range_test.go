package eventlog

import (
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// list is the obvious slow set: a sorted slice.
type list []reconcile.Item

func (l list) in(from, to reconcile.Bound) (out list) {
	for i := range l {
		if !from.Includes(&l[i]) && to.Includes(&l[i]) {
			out = append(out, l[i])
		}
	}
	return out
}

func (l list) sum() (s reconcile.Sum) {
	for i := range l {
		s.Add(&l[i].ID)
	}
	return s
}

func listOf(entries []Entry) (l list) {
	for i := range entries {
		l = append(l, reconcile.Item{Second: secondOf(entries[i].Event.HLC), ID: entries[i].Event.ID})
	}
	slices.SortFunc(l, reconcile.Item.Compare)
	return l
}

// drawSecond draws seconds that lie at the edges of buckets as often as not.
func drawSecond(t *rapid.T, name string) uint64 {
	base := rapid.SampledFrom([]uint64{1, 255, 256, 512, 65_535, 65_536, 131_072, 1_700_000_000, endOfTime - 20}).Draw(t, name)
	return base + rapid.Uint64Range(0, 3).Draw(t, name+" on")
}

// drawBound draws a bound at a second, or within it before or beside an item.
func drawBound(t *rapid.T, l list, name string) reconcile.Bound {
	switch rapid.IntRange(0, 5).Draw(t, name) {
	case 0:
		return reconcile.At(0)
	case 1:
		return reconcile.At(reconcile.Infinity)
	case 2:
		return reconcile.At(drawSecond(t, name))
	}
	if len(l) == 0 {
		return reconcile.At(7)
	}
	x := rapid.SampledFrom(l).Draw(t, name+" item")
	return reconcile.Bound{Second: x.Second, Prefix: x.ID[:rapid.IntRange(0, 32).Draw(t, name+" prefix")]}
}

func TestRangeAgreesWithAList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		defer os.RemoveAll(dir)
		s := open(t, dir)
		defer func() { _ = s.Close() }()
		for n := range rapid.IntRange(0, 12).Draw(rt, "batches") {
			a := newAuthor(n)
			drafts := texts(rapid.SampledFrom([]int{1, 2, 40}).Draw(rt, "events"), 0)
			at := hlcOf(drawSecond(rt, "second"))
			for i := range drafts {
				drafts[i].HLC = at + event.HLC(i)*event.HLC(rapid.SampledFrom([]uint64{1, 200 << 16}).Draw(rt, "step"))
				at = drafts[i].HLC - event.HLC(i)
			}
			if drafts[len(drafts)-1].HLC-drafts[0].HLC < spread-hlcMilli {
				mustAppend(t, s, a.seal(t, room, drafts...))
			}
		}
		all := listOf(collect(t, s.History(t.Context(), Query{Log: room})))
		set := s.Range(room)
		for range 8 {
			from, to := drawBound(rt, all, "from"), drawBound(rt, all, "to")
			n := rapid.IntRange(1, 20).Draw(rt, "n")
			compareRange(rt, set, all.in(from, to), from, to, n)
		}
		checkedClose(t, s)
	})
}

func compareRange(t *rapid.T, set reconcile.Set, want list, from, to reconcile.Bound, n int) {
	if sum, err := set.Sum(from, to); err != nil || sum != want.sum() {
		t.Fatalf("sum of %v to %v: %+v, want %+v (%v)", from, to, sum, want.sum(), err)
	}
	if items, err := set.Items(from, to, n); err != nil || !slices.Equal(items, want[:min(n, len(want))]) {
		t.Fatalf("%v to %v: %d items, want %d of %d (%v)", from, to, len(items), n, len(want), err)
	}
	if len(want) < 2 {
		return
	}
	bounds, err := set.Split(from, to, n)
	if err != nil || len(bounds) < 1 || len(bounds) > max(n, 2)-1 {
		t.Fatalf("%v to %v, %d items: %d bounds of %d (%v)", from, to, len(want), len(bounds), n, err)
	}
	for _, b := range append(bounds, to) {
		if len(want.in(from, b)) == 0 {
			t.Fatalf("part %v to %v is empty", from, b)
		}
		from = b
	}
}

// Items that lie evenly are divided evenly, in one second as over months.
func TestSplitIsEven(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	for range 40 {
		a.hlc += 100_000 * 1000 << 16
		mustAppend(t, s, a.seal(t, room, texts(64, 0)...)) // within 64 ms
	}
	b := newAuthor(2)
	for range 20 {
		d := texts(100, 0)
		for i := range d {
			d[i].HLC = 5_000_000<<16 + b.hlc&0xffff + event.HLC(b.seq[room]) + event.HLC(i)
		}
		mustAppend(t, s, b.seal(t, event.LogID{2}, d...))
	}
	for _, c := range []struct {
		log  event.LogID
		each int
	}{{room, 40 * 64 / 8}, {event.LogID{2}, 2000 / 8}} {
		all := listOf(collect(t, s.History(t.Context(), Query{Log: c.log})))
		from, to := reconcile.At(0), reconcile.At(reconcile.Infinity)
		bounds, err := s.Range(c.log).Split(from, to, 8)
		if err != nil || len(bounds) != 7 {
			t.Fatalf("%d bounds (%v)", len(bounds), err)
		}
		for _, x := range append(bounds, to) {
			if n := len(all.in(from, x)); n < c.each*3/4 || n > c.each*5/4 {
				t.Errorf("a part has %d items, an eighth is %d", n, c.each)
			}
			from = x
		}
	}
}

// Whatever asks for sums and divides a large log reads no payload, unless a
// second is divided, and then those of that second alone.
func TestRangeReadsSumsAlone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	for range 50 {
		a.hlc += 700_000 << 16
		mustAppend(t, s, a.seal(t, room, texts(50, 30)...))
	}
	checkedClose(t, s)
	s = open(t, dir)
	all := listOf(collect(t, s.History(t.Context(), Query{Log: room})))
	middle := all[len(all)/2]
	_, p := mustLocate(t, s, all[0].ID)
	asked(s, func() { must(t, s.setNow(appendPayloadKey(nil, p), []byte("not a payload"))) })
	set := s.Range(room)
	sum, err := set.Sum(reconcile.At(0), reconcile.Bound{Second: middle.Second, Prefix: middle.ID[:]})
	if err != nil || sum != all[:len(all)/2].sum() {
		t.Errorf("sum of %d (%v)", sum.Count, err)
	}
	if bounds, err := set.Split(reconcile.At(0), reconcile.At(reconcile.Infinity), 16); err != nil || len(bounds) != 15 {
		t.Errorf("%d bounds (%v)", len(bounds), err)
	}
	if _, err := set.Items(reconcile.At(0), reconcile.At(reconcile.Infinity), 5); err == nil {
		t.Error("the damaged payload is read by nobody: this test shows nothing")
	}
	must(t, s.Close())
}

// mustLocate returns the index record of an event and its payload's number.
func mustLocate(t *testing.T, s *Store, id event.ID) (rec indexRec, payload uint64) {
	t.Helper()
	e, ok, err := s.Get(id)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	b, _, err := s.Batch(id)
	must(t, err)
	i := slices.IndexFunc(b.Events, func(x event.Event) bool { return x.ID == id })
	return indexRec{arrival: e.Arrival, place: i}, e.Arrival - uint64(i)
}

// Of a second with many items the same is told whether they are kept or not, and
// also when more come and when others are asked for in between.
func TestRangeOfADenseSecond(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	at := hlcOf(1_700_000_000)
	more := func(n int) {
		d := texts(n, 0)
		for i := range d {
			at++
			d[i].HLC = at
		}
		mustAppend(t, s, a.seal(t, room, d...))
	}
	for range 2 * busySecond / 250 {
		more(250)
	}
	a.hlc = at + 1000<<16
	mustAppend(t, s, a.seal(t, room, texts(200, 0)...)) // the next second
	for _, limit := range []uint64{busyMost, 1000} {
		s.busy.limit = limit
		set := s.Range(room)
		for range 2 {
			at = hlcOf(1_700_000_000) + event.HLC(a.seq[room])
			more(3)
			compareDense(t, s, set)
		}
		if kept := len(s.busy.list) > 0; kept != (limit == busyMost) {
			t.Errorf("seconds are kept: %v", kept)
		}
		s.busy.list, s.busy.held = nil, 0
	}
}

func compareDense(t *testing.T, s *Store, set reconcile.Set) {
	t.Helper()
	all := listOf(collect(t, s.History(t.Context(), Query{Log: room})))
	first := all[0].Second
	from := reconcile.Bound{Second: first, Prefix: all[1000].ID[:]}
	for _, to := range []reconcile.Bound{reconcile.At(first + 1), {Second: first, Prefix: all[3000].ID[:9]}, reconcile.At(reconcile.Infinity)} {
		for _, from := range []reconcile.Bound{from, reconcile.At(0)} {
			want := all.in(from, to)
			if sum, err := set.Sum(from, to); err != nil || sum != want.sum() {
				t.Errorf("sum of %d, want %d (%v)", sum.Count, len(want), err)
			}
			for _, n := range []int{1, 500, len(want) - 1, len(want) + 1} {
				if items, err := set.Items(from, to, n); err != nil || !slices.Equal(items, want[:min(n, len(want))]) {
					t.Errorf("%d items of %d (%v)", len(items), len(want), err)
				}
			}
			if bounds, err := set.Split(from, to, 16); err != nil || len(bounds) < 1 {
				t.Errorf("%d bounds (%v)", len(bounds), err)
			}
		}
	}
}

// many calls add with n ids.
func many(n uint64, add func(event.ID)) {
	for i := range n {
		add(event.ID{byte(i * 7), byte(i)})
	}
}

func sumOfMany(n uint64) (sum reconcile.Sum) {
	many(n, func(id event.ID) { sum.Add((*[32]byte)(&id)) })
	return sum
}

// A sum may be newer than what its reader sees of the events: then what he has read is not taken for it.
func TestWhatIsOlderThanItsSumIsNotKeptForIt(t *testing.T) {
	b := busySeconds{limit: busyMost}
	for _, n := range []uint64{5, 9, 9} { // what a reader sees; the third one as the second
		ids, err := b.get(1, 1, sumOfMany(9), func(add func(event.ID)) error { many(n, add); return nil })
		if err != nil || len(ids) != int(n) {
			t.Errorf("%d ids of %d (%v)", len(ids), n, err)
		}
	}
}

// What is kept of busy seconds is bounded, and is the same memory for all who ask.
func TestBusySecondsAreBounded(t *testing.T) {
	b := busySeconds{limit: busyMost}
	reads := 0
	ask := func(at, n uint64) int {
		ids, err := b.get(1, at, sumOfMany(n), func(add func(event.ID)) error {
			reads++
			many(n, add)
			return nil
		})
		if err != nil || !slices.IsSortedFunc(ids, event.ID.Compare) {
			t.Errorf("second %d: %v", at, err)
		}
		return len(ids)
	}
	for at := range uint64(40) {
		ask(at, busyHeld/10)
		ask(at, busyHeld/10)
	}
	if reads != 40 || len(b.list) != 10 || b.held > busyHeld {
		t.Errorf("%d reads, %d seconds with %d ids kept", reads, len(b.list), b.held)
	}
	if n := ask(99, busyMost); n != busyMost || len(b.list) != 1 {
		t.Errorf("beside a second of %d ids %d others are kept", n, len(b.list)-1)
	}
	if ask(1, 10); len(b.list) != 1 || b.held != 10 {
		t.Errorf("%d seconds with %d ids are kept after a large one", len(b.list), b.held)
	}
}

// What a set says that it read is what it had to decode, of events before a second
// too, and what lay in memory counts little.
func TestWhatWasReadIsTold(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	at := hlcOf(1_700_000_000)
	for range 3 * 8 { // three seconds of 2,000 events
		d := texts(250, 0)
		for i := range d {
			at += 1000 * hlcMilli / 2000
			d[i].HLC = at
		}
		mustAppend(t, s, a.seal(t, room, d...))
	}
	set := s.Range(room)
	from, to := reconcile.Bound{Second: 1_700_000_000, Prefix: []byte{1}}, reconcile.Bound{Second: 1_700_000_001, Prefix: []byte{128}}
	ask := func() int {
		for _, err := range []error{
			func() error { _, err := set.Sum(from, to); return err }(),
			func() error { _, err := set.Split(from, to, 16); return err }(),
		} {
			must(t, err)
		}
		return set.Read()
	}
	if n := ask(); n < 4000 || n > 5000 {
		t.Errorf("%d read of two seconds that are divided", n)
	}
	if n := ask(); n < 2*4000/inMemory/2 || n > 2*4000/inMemory+20 {
		t.Errorf("%d read of what lies in memory", n)
	}
	if _, err := set.Sum(reconcile.At(0), reconcile.At(reconcile.Infinity)); err != nil {
		t.Error(err)
	}
	if n := set.Read(); n < 1 || n > 10 {
		t.Errorf("%d read of whole seconds", n)
	}
	_, err := set.Items(reconcile.At(0), reconcile.At(1_700_000_002), 10)
	must(t, err)
	if n := set.Read(); n < 2000 || n > 3000 {
		t.Errorf("%d read of a second that is listed", n)
	}
}

// Two busy seconds that a range divides at its edges are both kept.
func TestBothEdgesAreKept(t *testing.T) {
	b := busySeconds{limit: busyMost}
	reads, sum := 0, sumOfMany(busyHeld)
	for range 3 {
		for at := range uint64(2) {
			_, err := b.get(1, at, sum, func(add func(event.ID)) error { reads++; many(busyHeld, add); return nil })
			must(t, err)
		}
	}
	if reads != 2 {
		t.Errorf("%d reads of two seconds", reads)
	}
}
