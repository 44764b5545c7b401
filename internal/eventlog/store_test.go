package eventlog

import (
	"bytes"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

var room = event.LogID{1}

func TestAppendIsReadEveryWay(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	join := a.seal(t, room, event.Draft{Kind: event.KindProfile, Payload: []byte("nick")})
	many := a.seal(t, room, texts(256, 256)...)
	one := a.seal(t, room, texts(1, 10)...)
	for _, b := range []*event.Batch{join, many, one} {
		res := mustAppend(t, s, b)
		if slices.Contains(res.New, false) || len(res.Forks)+len(res.Missing) > 0 {
			t.Fatalf("appended %+v", res)
		}
	}
	check := func(s *Store) {
		t.Helper()
		want := batchIDs(join, many, one)
		if got := ids(collect(t, s.History(t.Context(), Query{Log: room}))); !slices.Equal(got, want) {
			t.Errorf("history has %d events, want %d", len(got), len(want))
		}
		back := slices.Clone(want)
		slices.Reverse(back)
		if got := ids(collect(t, s.History(t.Context(), Query{Log: room, Reverse: true}))); !slices.Equal(got, back) {
			t.Errorf("history backwards has %d events, want %d", len(got), len(want))
		}
		if got := ids(collect(t, s.History(t.Context(), Query{Log: room, Reverse: true, Limit: 50}))); !slices.Equal(got, back[:50]) {
			t.Errorf("the newest 50 are %d others", len(got))
		}
		if got := ids(collect(t, s.Since(t.Context(), 0))); !slices.Equal(got, want) {
			t.Errorf("since 0: %d events, want %d", len(got), len(want))
		}
		if got := ids(collect(t, s.Since(t.Context(), 100))); !slices.Equal(got, want[100:]) {
			t.Errorf("since 100: %d events, want %d", len(got), len(want)-100)
		}
		if got := ids(collect(t, s.Control(t.Context(), room))); !slices.Equal(got, want[:1]) {
			t.Errorf("control events: %v", got)
		}
		if h, err := s.Heads(room); err != nil || !slices.Equal(h, want[257:]) {
			t.Errorf("heads %v, %v", h, err)
		}
		st, err := s.Author(room, a.id)
		if err != nil || st.LastSeq != 258 || st.LastID != want[257] || len(st.Gaps) != 0 {
			t.Errorf("author %+v, %v", st, err)
		}
		for i, id := range want {
			e, ok, err := s.Get(id)
			if err != nil || !ok || e.Arrival != uint64(i)+1 || e.Event.ID != id {
				t.Fatalf("get %d: %v, %v, %v", i, e.Arrival, ok, err)
			}
		}
		b, ok, err := s.Batch(want[77])
		if err != nil || !ok || b.Verify() != nil || !bytes.Equal(b.Payload(), many.Payload()) {
			t.Errorf("the payload of an event is not what was received: %v, %v", ok, err)
		}
		if n := count(s, room); n != 258 || s.LastArrival() != 258 {
			t.Errorf("count %d, last %d", n, s.LastArrival())
		}
	}
	check(s)
	checkedClose(t, s)
	check(open(t, dir))
}

// spec: 03-events M32
func TestDuplicatesAreNotStoredTwice(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(10, 100)...)
	for _, i := range []int{3, 7} {
		p, err := b.Single(i)
		if err != nil {
			t.Fatal(err)
		}
		one, err := event.Decode(p)
		if err != nil {
			t.Fatal(err)
		}
		if res := mustAppend(t, s, one); !res.New[0] {
			t.Fatal("a new event was not taken")
		}
	}
	res := mustAppend(t, s, b)
	for i, isNew := range res.New {
		if isNew == (i == 3 || i == 7) {
			t.Errorf("event %d: new %v", i, isNew)
		}
	}
	if res := mustAppend(t, s, b); slices.Contains(res.New, true) || res.Arrival != 0 {
		t.Errorf("appended again: %+v", res)
	}
	if got := ids(collect(t, s.History(t.Context(), Query{Log: room}))); !slices.Equal(got, batchIDs(b)) {
		t.Errorf("history has %d events", len(got))
	}
	if n := len(collect(t, s.Since(t.Context(), 0))); n != 10 {
		t.Errorf("%d arrived", n)
	}
}

// Anybody can take contents away and be first. What comes later with its
// content takes the erased event's place, and arrives again.
func TestErasedEventsAreFilled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	whole := a.seal(t, room, append(texts(4, 100), event.Draft{Kind: event.KindProfile})...)
	next := a.seal(t, room, texts(1, 100)...)
	bare := whole
	for _, i := range []int{1, 2, 4} {
		p, err := bare.Erase(i)
		must(t, err)
		bare, err = event.Decode(p)
		must(t, err)
	}
	mustAppend(t, s, bare)
	mustAppend(t, s, next)
	cursor := s.LastArrival()
	res := mustAppend(t, s, whole)
	if !slices.Equal(res.New, []bool{false, true, true, false, true}) || len(res.Forks)+len(res.Missing) > 0 {
		t.Errorf("appended %+v", res)
	}
	for _, again := range []*event.Batch{bare, whole} { // nothing is taken back
		if res := mustAppend(t, s, again); slices.Contains(res.New, true) {
			t.Errorf("appended again: %+v", res)
		}
	}
	for range 2 {
		history := collect(t, s.History(t.Context(), Query{Log: room}))
		if !slices.Equal(ids(history), batchIDs(whole, next)) || count(s, room) != 6 {
			t.Errorf("%d events, %d counted", len(history), count(s, room))
		}
		for i := range history {
			if history[i].Event.Content == nil {
				t.Errorf("event %d is erased", i)
			}
		}
		all := batchIDs(whole)
		if got := ids(collect(t, s.Since(t.Context(), cursor))); !slices.Equal(got, []event.ID{all[1], all[2], all[4]}) {
			t.Errorf("%d events arrived again", len(got))
		}
		if n := len(collect(t, s.Since(t.Context(), 0))); n != 6 {
			t.Errorf("%d events in all", n)
		}
		checkedClose(t, s)
		s = open(t, dir)
	}
}

func TestMeta(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if v, err := s.Meta("rooms"); v != nil || err != nil {
		t.Fatal(v, err)
	}
	if err := s.SetMeta("rooms", []byte("lobby")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMeta("empty", []byte{}); err != nil {
		t.Fatal(err)
	}
	checkedClose(t, s)
	s = open(t, dir)
	if v, err := s.Meta("rooms"); !bytes.Equal(v, []byte("lobby")) || err != nil {
		t.Fatal(v, err)
	}
	if v, err := s.Meta("empty"); v == nil || err != nil {
		t.Fatal("an empty value is no value", v, err)
	}
	if err := s.SetMeta("rooms", nil); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Meta("rooms"); v != nil || err != nil {
		t.Fatal(v, err)
	}
	if err := s.SetMeta("big", make([]byte, maxMeta+1)); err == nil {
		t.Error("a large value was taken")
	}
}

// Last and Complete tell of an author and a log what Author and Missing do.
func TestLastAndComplete(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	agree := func(complete bool) {
		t.Helper()
		want, err := s.Author(room, a.id)
		must(t, err)
		if seq, id, err := s.Last(room, a.id); err != nil || seq != want.LastSeq || id != want.LastID {
			t.Errorf("last %d, want %d (%v)", seq, want.LastSeq, err)
		}
		missing, err := s.Missing(room)
		must(t, err)
		if got, err := s.Complete(room); err != nil || got != complete || got != (len(missing) == 0) {
			t.Errorf("complete %v beside %d missing (%v)", got, len(missing), err)
		}
	}
	agree(true)
	mustAppend(t, s, a.seal(t, room, texts(300, 0)[:200]...))
	agree(true)
	gap := a.seal(t, room, texts(100, 0)...)
	mustAppend(t, s, a.seal(t, room, event.Draft{Parents: []event.ID{{1}}}))
	agree(false)
	mustAppend(t, s, gap)
	agree(false)
	must(t, s.Settle(t.Context(), room, []event.ID{{1}}))
	agree(true)
}
