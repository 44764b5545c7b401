package eventlog

import (
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// world draws batches as unlucky authors and networks would produce them.
type world struct {
	t       *rapid.T
	tb      testing.TB
	authors []*author
	logs    []event.LogID
	sealed  []*event.Batch
	known   []event.ID
}

func newWorld(t *rapid.T, tb testing.TB) *world {
	return &world{
		t: t, tb: tb, authors: []*author{newAuthor(1), newAuthor(2), newAuthor(3)},
		logs: []event.LogID{{1}, {2}},
	}
}

// seal makes a batch: several events at times, late ones, other heads as
// parents, control events; and sometimes the author forgets his last event.
func (w *world) seal() *event.Batch {
	a := rapid.SampledFrom(w.authors).Draw(w.t, "author")
	log := rapid.SampledFrom(w.logs).Draw(w.t, "log")
	if back := rapid.Uint64Range(0, 5).Draw(w.t, "fork"); back == 1 && a.seq[log] > 1 {
		w.rewind(a, log)
	}
	start := event.HLC(rapid.Uint64Range(1_700_000_000_000, 1_700_000_100_000).Draw(w.t, "ms")) << 16
	n := rapid.SampledFrom([]int{1, 1, 1, 2, 5, 40}).Draw(w.t, "events")
	step := event.HLC(rapid.SampledFrom([]uint64{1, 1 << 16, 200 << 16}).Draw(w.t, "step"))
	drafts := texts(n, rapid.SampledFrom([]int{0, 10, 2000}).Draw(w.t, "size"))
	for i := range drafts {
		drafts[i].HLC = start + event.HLC(i)*step
		drafts[i].Expiry = rapid.SampledFrom([]uint64{0, 0, 0, 5000, 6000}).Draw(w.t, "expiry")
		drafts[i].Kind = rapid.SampledFrom([]event.Kind{1, 1, 1, 2, 3, 77}).Draw(w.t, "kind")
	}
	if len(w.known) > 0 && a.seq[log] > 0 {
		heads := rapid.SliceOfNDistinct(rapid.SampledFrom(w.known), 0, 3, rapid.ID[event.ID]).Draw(w.t, "parents")
		drafts[0].Parents = slices.DeleteFunc(heads, func(id event.ID) bool { return id == a.last[log] })
	}
	b := a.seal(w.tb, log, drafts...)
	w.sealed = append(w.sealed, b)
	w.known = append(w.known, batchIDs(b)...)
	return b
}

// rewind makes an author go on from an earlier event of his own.
func (w *world) rewind(a *author, log event.LogID) {
	b := rapid.SampledFrom(w.sealed).Draw(w.t, "back to")
	if e := &b.Events[0]; e.Log == log && e.Author == a.id {
		a.seq[log], a.last[log] = e.Seq, e.ID
	}
}

// delivery draws what arrives next: something sealed, new or not, whole or a
// single event of it, and sometimes without the content of some events.
func (w *world) delivery() *event.Batch {
	b := rapid.SampledFrom(w.sealed).Draw(w.t, "batch")
	if len(b.Events) > 1 && rapid.Bool().Draw(w.t, "single") {
		b = w.form(b.Single, len(b.Events))
	}
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 4}).Draw(w.t, "erased") {
		b = w.form(b.Erase, len(b.Events))
	}
	return b
}

// form draws an event of a batch and decodes what a function makes of it.
func (w *world) form(fn func(i int) ([]byte, error), events int) *event.Batch {
	p, err := fn(rapid.IntRange(0, events-1).Draw(w.t, "place"))
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := event.Decode(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) erase(s *Store, m *model) {
	ids := rapid.SliceOfN(rapid.SampledFrom(w.known), 1, 20).Draw(w.t, "erased ids")
	want := m.erase(ids...)
	if n, err := s.Erase(w.tb.Context(), ids...); err != nil || n != want {
		w.t.Fatalf("erased %d of %d (%v)", n, want, err)
	}
}

func (w *world) expire(s *Store, m *model) {
	now := rapid.Uint64Range(4990, 6010).Draw(w.t, "now")
	want := m.expire(now)
	if n, err := s.ExpireDue(w.tb.Context(), time.UnixMilli(int64(now))); err != nil || n != len(want) {
		w.t.Fatalf("expired %d of %d (%v)", n, len(want), err)
	}
}

// payloadOf returns the arrival number of the payload in which an event of b counts:
// that of its first event, which is another one where a copy without contents came
// before.
func payloadOf(s *Store, b *event.Batch, id event.ID) uint64 {
	e, _, _ := s.Get(id)
	return e.Arrival - uint64(slices.IndexFunc(b.Events, func(x event.Event) bool { return x.ID == id }))
}

func (w *world) retain(s *Store, m *model) {
	log := rapid.SampledFrom(w.logs).Draw(w.t, "retained log")
	o := RetainOptions{Before: time.Unix(int64(rapid.Uint64Range(1_699_999_999, 1_700_000_110).Draw(w.t, "before")), 0)}
	if rapid.Bool().Draw(w.t, "keep") {
		o.Keep = func(e *Entry) bool { return e.Event.ID[0]%4 == 0 }
	}
	floor := max(m.floor[log], uint64(o.Before.Unix()))
	whole := make(map[event.ID]bool)
	for _, e := range m.in(log) {
		b, ok, err := s.Batch(e.Event.ID)
		if !ok || err != nil {
			w.t.Fatal(ok, err)
		}
		payload := payloadOf(s, b, e.Event.ID)
		kept := slices.ContainsFunc(b.Events, func(x event.Event) bool {
			y, _, err := s.Get(x.ID)
			return err == nil && o.Keep != nil && payloadOf(s, b, x.ID) == payload && o.Keep(&y)
		})
		whole[e.Event.ID] = secondOf(b.Events[len(b.Events)-1].HLC) < floor && !kept
	}
	before := len(m.entries)
	m.retain(log, floor, func(id event.ID) bool { return whole[id] })
	r, err := s.Retain(w.tb.Context(), log, o)
	if err != nil || r.Floor != m.floor[log] || r.Events != before-len(m.entries) {
		w.t.Fatalf("retained %+v, want floor %d and %d deleted (%v)", r, m.floor[log], before-len(m.entries), err)
	}
}

// drawCuts draws some cuts: at events, beside them and by time.
func (w *world) drawCuts() (cuts []Cut) {
	for range rapid.IntRange(0, 3).Draw(w.t, "cuts") {
		e := &rapid.SampledFrom(w.sealed).Draw(w.t, "cut at").Events[0]
		c := Cut{Author: e.Author, At: rapid.SampledFrom([]event.HLC{unlimited, e.HLC, e.HLC + 3, 0}).Draw(w.t, "at")}
		for _, log := range w.logs {
			place := Place{e.Seq + rapid.SampledFrom([]uint64{0, 0, 0, 1, 3}).Draw(w.t, "further"), e.ID}
			if log != e.Log { // another's id at that place
				place = Place{Seq: rapid.Uint64Range(0, 5).Draw(w.t, "seq")}
			}
			if rapid.Bool().Draw(w.t, "named") {
				if c.Named == nil {
					c.Named = make(map[event.LogID]Place)
				}
				c.Named[log] = place
			}
		}
		cuts = append(cuts, c)
	}
	return cuts
}

func (w *world) cut(s *Store, m *model) {
	cuts := w.drawCuts()
	want := m.setCuts(cuts)
	if n, err := s.SetCuts(w.tb.Context(), cuts); err != nil || n != want {
		w.t.Fatalf("cut %d of %d (%v)", n, want, err)
	}
}

// spec: 03-events M16
func TestStoreAgreesWithAList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt, t)
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		reopen := func() *Store {
			s := open(t, dir)
			if rapid.Bool().Draw(rt, "small memory") { // before the first append: nobody reads it yet
				s.profile.logsHeld, s.profile.endsHeld, s.profile.runLen, s.recent.limit = 1, 2, 3, 5000
			}
			return s
		}
		s := reopen()
		defer func() { _ = s.Close() }() // before its directory goes, also when the test fails
		m := newModel()
		for range rapid.IntRange(1, 8).Draw(rt, "sealed") {
			w.seal()
		}
		for range rapid.IntRange(1, 20).Draw(rt, "delivered") {
			if rapid.IntRange(0, 9).Draw(rt, "more") == 0 {
				w.seal()
			}
			if rapid.IntRange(0, 15).Draw(rt, "reopen") == 0 {
				checkedClose(rt, s)
				s = reopen()
				clear(m.refused)
			}
			switch rapid.IntRange(0, 13).Draw(rt, "other") {
			case 0:
				w.erase(s, m)
			case 1:
				w.expire(s, m)
			case 2:
				w.retain(s, m)
			case 3:
				w.cut(s, m)
			}
			b := w.delivery()
			got := mustAppend(t, s, b)
			want := m.append(b, got.Arrival)
			if m.floor[b.Log()] > 0 { // which parents are missing is not exact then
				got.Missing, want.Missing = nil, nil
			}
			if !reflect.DeepEqual(got, want) {
				rt.Fatalf("append gave %+v, want %+v", got, want)
			}
		}
		for _, log := range w.logs {
			compare(t, rt, s, m, w, log)
		}
		checkedClose(rt, s)
	})
}

func compare(t *testing.T, rt *rapid.T, s *Store, m *model, w *world, log event.LogID) {
	t.Helper()
	for range 6 {
		q := w.query(m, log)
		if got, want := collect(t, s.History(t.Context(), q)), m.history(q); !sameEntries(got, want) {
			rt.Fatalf("history %+v: %d events, want %d", q, len(got), len(want))
		}
	}
	cursor := rapid.Uint64Range(0, s.LastArrival()+1).Draw(rt, "cursor")
	if got := ids(collect(t, s.Since(t.Context(), cursor))); !slices.Equal(got, m.since(cursor)) {
		rt.Fatalf("since %d: %d events, want %d", cursor, len(got), len(m.since(cursor)))
	}
	if got := ids(collect(t, s.Control(t.Context(), log))); !slices.Equal(got, m.control(log)) {
		rt.Fatalf("control: %v, want %v", got, m.control(log))
	}
	if s.Floor(log) != m.floor[log] {
		rt.Fatalf("floor: %d, want %d", s.Floor(log), m.floor[log])
	}
	if got, err := s.Heads(log); m.floor[log] == 0 && (err != nil || !slices.Equal(got, m.heads(log))) {
		rt.Fatalf("heads: %v, want %v (%v)", got, m.heads(log), err)
	}
	if got, err := s.Missing(log); m.floor[log] == 0 && (err != nil || !slices.Equal(got, m.missing(log))) {
		rt.Fatalf("missing: %v, want %v (%v)", got, m.missing(log), err)
	}
	above := listOf(slices.DeleteFunc(m.in(log), func(e Entry) bool { return m.below(&e.Event) }))
	if got, err := s.Range(log).Sum(reconcile.At(0), reconcile.At(reconcile.Infinity)); err != nil || got != above.sum() {
		rt.Fatalf("sum: %+v, want %+v (%v)", got, above.sum(), err)
	}
	for _, a := range w.authors {
		got, err := s.Author(log, a.id)
		want := m.author(log, a.id)
		if got.LastID == (event.ID{}) && m.floor[log] > 0 { // a seq that retention deleted, before a cut
			want.LastID = got.LastID
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			rt.Fatalf("author: %+v, want %+v (%v)", got, want, err)
		}
	}
	if got := count(s, log); got != len(m.in(log)) {
		rt.Fatalf("count %d, want %d", got, len(m.in(log)))
	}
	for _, id := range w.known {
		if got, err := s.Has(id); err != nil || got != m.has(id) {
			rt.Fatalf("has %v: %v, %v", id, got, err)
		}
	}
}

// query draws bounds that often are positions of stored events.
func (w *world) query(m *model, log event.LogID) Query {
	q := Query{Log: log, Limit: rapid.SampledFrom([]int{0, 0, 1, 7, 70}).Draw(w.t, "limit"), Reverse: rapid.Bool().Draw(w.t, "reverse")}
	all := m.in(log)
	if len(all) == 0 {
		return q
	}
	bound := func(name string) *Position {
		if rapid.Bool().Draw(w.t, name+" open") {
			return nil
		}
		e := rapid.SampledFrom(all).Draw(w.t, name)
		p := e.Position()
		return &p
	}
	q.Before, q.After = bound("before"), bound("after")
	return q
}
