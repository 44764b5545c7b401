package eventlog

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// An erased content is gone for readers and stays gone: after opening again, when
// its event comes again alone or beside new ones, and everything else is as it was.
//
// spec: 03-events M39
func TestErase(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := newAuthor(1)
	b := a.seal(t, room, texts(3, 2000)...)
	more := newAuthor(2).seal(t, room, texts(3, 40)...)
	mustAppend(t, s, decoded(t, more.Single, 1))
	mustAppend(t, s, more) // the single one lies in two payloads now
	mustAppend(t, s, b)
	want := s.Stats().Events
	erased := []event.ID{b.Events[0].ID, b.Events[2].ID, more.Events[1].ID}
	n, err := s.Erase(t.Context(), append(erased, event.ID{5})...)
	if err != nil || n != 3 {
		t.Fatalf("%d were erased (%v)", n, err)
	}
	if n, err = s.Erase(t.Context(), erased...); err != nil || n != 0 {
		t.Errorf("%d were erased again (%v)", n, err)
	}
	for range 2 {
		for _, x := range []*event.Batch{b, more} {
			if res := mustAppend(t, s, x); res.Arrival != 0 {
				t.Errorf("an erased event came again: %+v", res)
			}
		}
		for _, e := range collect(t, s.History(t.Context(), Query{Log: room})) {
			isErased := e.Event.ID == erased[0] || e.Event.ID == erased[1] || e.Event.ID == erased[2]
			if (e.Event.Content == nil) != isErased {
				t.Errorf("event %v: erased %v, content of %d bytes", e.Event.ID, isErased, len(e.Event.Content))
			}
			x, ok, err := s.Batch(e.Event.ID)
			if !ok || err != nil || x.Verify() != nil {
				t.Errorf("its payload does not verify (%v)", err)
			}
		}
		if s.Stats().Events != want {
			t.Errorf("%d events, there were %d", s.Stats().Events, want)
		}
		checkedClose(t, s)
		s = open(t, dir)
	}
}

// What an event came without is filled by a copy that has it; once it was erased
// here it is not.
func TestFilledUnlessErased(t *testing.T) {
	s := open(t, t.TempDir())
	b := newAuthor(1).seal(t, room, texts(2, 40)...)
	bare := decoded(t, decoded(t, b.Erase, 0).Erase, 1)
	mustAppend(t, s, bare)
	if n, err := s.Erase(t.Context(), b.Events[1].ID); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if res := mustAppend(t, s, b); !res.New[0] || res.New[1] {
		t.Errorf("%+v", res)
	}
	for i, has := range []bool{true, false} {
		if e, _, err := s.Get(b.Events[i].ID); err != nil || (e.Event.Content != nil) != has {
			t.Errorf("event %d has a content of %d bytes (%v)", i, len(e.Event.Content), err)
		}
	}
}

// A batch that spans the floor does not bring back what was erased below it.
func TestErasedBelowTheFloorStaysErased(t *testing.T) {
	s := open(t, t.TempDir())
	d := texts(3, 40)
	for i := range d {
		d[i].HLC = hlcOf(10 + 2*uint64(i))
	}
	b := newAuthor(1).seal(t, room, d...)
	mustAppend(t, s, decoded(t, b.Single, 0))
	if n, err := s.Erase(t.Context(), b.Events[0].ID); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	all := func(*Entry) bool { return true }
	if _, err := s.Retain(t.Context(), room, RetainOptions{Before: time.Unix(11, 0), Keep: all}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, b)
	checkedClose(t, s)
}

// Contents are erased when their header says so, not earlier, and once.
//
// spec: 03-events M21
func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := texts(40, 30)
	for i := range d {
		d[i].Expiry = uint64(10_000 + 1000*(i/20))
	}
	d[0].Expiry = 0
	b := newAuthor(1).seal(t, room, d...)
	mustAppend(t, s, b)
	expire := func(ms int64, want int) {
		t.Helper()
		if n, err := s.ExpireDue(t.Context(), time.UnixMilli(ms)); err != nil || n != want {
			t.Errorf("at %d: %d expired, want %d (%v)", ms, n, want, err)
		}
	}
	expire(9_999, 0)
	expire(10_000, 19)
	checkedClose(t, s)
	s = open(t, dir)
	if res := mustAppend(t, s, b); res.Arrival != 0 {
		t.Errorf("expired contents came again: %+v", res)
	}
	expire(20_000, 20)
	expire(20_000, 0)
	if e, _, err := s.Get(b.Events[0].ID); err != nil || e.Event.Content == nil {
		t.Error("what does not expire did", err)
	}
}

// The bytes of an erased content are in none of the files after Purge, which
// are looked at with the key, old versions too.
func TestErasedBytesLeaveTheFiles(t *testing.T) {
	const secret = "a text that is gone"
	s := open(t, t.TempDir())
	a := newAuthor(1)
	small := a.seal(t, room, event.Draft{Payload: []byte(secret)})
	large := a.seal(t, room, event.Draft{Payload: []byte(strings.Repeat(secret, 200))})
	mustAppend(t, s, small)
	mustAppend(t, s, large)
	for range 90 { // the value log goes on to its next file
		mustAppend(t, s, a.seal(t, room, texts(100, 1000)...))
	}
	if n := timesFound(t, s, secret); n < 2 {
		t.Fatalf("found %d times: this test shows nothing", n)
	}
	if _, err := s.Erase(t.Context(), small.Events[0].ID, large.Events[0].ID); err != nil {
		t.Fatal(err)
	}
	must(t, s.Purge(t.Context()))
	if n := timesFound(t, s, secret); n > 0 {
		t.Errorf("found %d times after all", n)
	}
}

func timesFound(t *testing.T, s *Store, text string) (n int) {
	t.Helper()
	dir := copyRunning(t, s)
	r, err := openRaw(dir, badgerOptions(dir, testKey, s.profile, s.log, valueThreshold))
	must(t, err)
	defer r.close()
	for _, it := range r.iters {
		for it.Rewind(); it.Valid(); it.Next() {
			n += bytes.Count(it.Value().Value, []byte(text))
		}
	}
	must(t, r.eachLogged(nil, func(val []byte) error {
		n += bytes.Count(val, []byte(text))
		return nil
	}))
	return n
}
