package eventlog

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

func salvage(t *testing.T, dir string) Salvaged {
	t.Helper()
	v, err := Salvage(t.Context(), Options{Dir: dir, Key: testKey, Light: true}, nil)
	must(t, err)
	return v
}

// files returns what is in a directory, to be compared.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	eachFile(t, dir, func(path string) {
		data, err := os.ReadFile(path)
		must(t, err)
		out[filepath.Base(path)] = string(data)
	})
	return out
}

// A store without damage is what it was, closed in order or not: floors, what was
// erased, seqs that were deleted and values are there, numbers go on above.
func TestSalvageKeepsAll(t *testing.T) {
	s := open(t, t.TempDir())
	fillFixture(t, s)
	a := newAuthor(9)
	log := event.LogID{9}
	for range 8 {
		mustAppend(t, s, a.seal(t, log, texts(30, 100)...))
		a.hlc += 20_000 << 16
	}
	_, err := s.Retain(t.Context(), log, RetainOptions{Before: time.UnixMilli((a.hlc - 50_000<<16).Millis())})
	must(t, err)
	gone := collect(t, s.History(t.Context(), Query{Log: room, Limit: 3}))
	_, err = s.Erase(t.Context(), ids(gone)...)
	must(t, err)
	running := copyRunning(t, s)
	last := s.LastArrival()
	for range 2 {
		before := files(t, running)
		v := salvage(t, running)
		if v.Lost+v.Refused+len(v.Damaged) > 0 || uint64(v.Events) != s.Stats().Events {
			t.Errorf("salvaged %+v of %d events", v, s.Stats().Events)
		}
		delete(before, "store.lock")
		after := files(t, v.Aside)
		delete(after, "store.lock")
		same(t, "files aside", len(after), len(before))
		for name, data := range before {
			if after[name] != data {
				t.Errorf("%s was changed", name)
			}
		}
		c := open(t, running)
		for _, log := range []event.LogID{room, {2}, log} {
			want, got := collect(t, s.History(t.Context(), Query{Log: log})), collect(t, c.History(t.Context(), Query{Log: log}))
			if !slices.EqualFunc(got, want, func(x, y Entry) bool {
				return x.Event.ID == y.Event.ID && x.Fork == y.Fork && slices.Equal(x.Event.Content, y.Event.Content)
			}) {
				t.Errorf("log %v: %d events, want %d, or others", log, len(got), len(want))
			}
			same(t, "floor", c.Floor(log), s.Floor(log))
			for _, n := range []int{1, 2, 3, 9} {
				have, err := c.Author(log, newAuthor(n).id)
				must(t, err)
				want, err := s.Author(log, newAuthor(n).id)
				must(t, err)
				same(t, "author", have, want)
			}
		}
		val, err := c.Meta("cursor")
		must(t, err)
		same(t, "value", val, []byte{1, 2, 3})
		if n := len(collect(t, c.Since(t.Context(), last))); n != int(s.Stats().Events) {
			t.Errorf("who read all of the old store sees %d events of %d again", n, s.Stats().Events)
		}
		b, _, err := s.Batch(gone[0].Event.ID)
		must(t, err)
		if res := mustAppend(t, c, b); slices.Contains(res.New, true) {
			t.Error("what is stored is new")
		}
		checkedClose(t, c)
	}
}

// Whatever file is harmed: what is left is kept and checked, and the chains of
// authors do not go back if the tables can be read.
func TestSalvageOfDamagedFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	src, want := damaged(t)
	harms := map[string]func(t *testing.T, path string, size int64){
		"half":    func(t *testing.T, path string, size int64) { must(t, os.Truncate(path, size/2)) },
		"gone":    func(t *testing.T, path string, _ int64) { must(t, os.Remove(path)) },
		"garbage": func(t *testing.T, path string, size int64) { overwrite(t, path, size/3, size/10+1) },
	}
	for name, harm := range harms {
		eachFile(t, src, func(path string) {
			file := filepath.Base(path)
			if file == "KEYREGISTRY" || file == "store.lock" {
				return
			}
			t.Run(name+"/"+file, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "store")
				must(t, os.Mkdir(dir, 0o700))
				copyDir(t, src, dir)
				st, err := os.Stat(filepath.Join(dir, file))
				must(t, err)
				harm(t, filepath.Join(dir, file), st.Size())
				v := salvage(t, dir)
				s := open(t, dir)
				if n := int(s.Stats().Events); n != v.Events {
					t.Errorf("%d events, %d were reported", n, v.Events)
				}
				t.Logf("%+v of %d", v, len(want)+3)
				if v.Events+v.Lost < len(want)+3 && len(v.Damaged) == 0 {
					t.Errorf("%+v does not tell what was lost of %d", v, len(want)+3)
				}
				if filepath.Ext(file) != ".vlog" && v.Events < len(want) { // batches lie in the value log
					t.Errorf("%d events of %d", v.Events, len(want))
				}
				if filepath.Ext(file) != ".sst" {
					chainsGoOn(t, s)
				}
			})
		})
	}
}

// chainsGoOn checks that authors go on where they were in damaged.
func chainsGoOn(t *testing.T, s *Store) {
	t.Helper()
	for n := range 3 {
		a := newAuthor(n)
		st, err := s.Author(room, a.id)
		if err != nil || st.LastSeq != 401 {
			t.Errorf("an author's chain ends at %d (%v)", st.LastSeq, err)
			continue
		}
		a.seq[room], a.last[room], a.hlc = st.LastSeq, st.LastID, a.hlc+1<<40
		if res := mustAppend(t, s, a.seal(t, room, texts(2, 20)...)); len(res.Forks) > 0 {
			t.Error("going on makes a fork")
		}
	}
}

// What was lost at the end of a chain is missing, and takes its place when it
// comes again.
func TestLostEndOfAChainComesAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, dir)
	a := newAuthor(1)
	first, lost := a.seal(t, room, texts(3, 50)...), a.seal(t, room, texts(5, 2000)...)
	mustAppend(t, s, first)
	mustAppend(t, s, lost)
	checkedClose(t, s)
	files, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	must(t, err)
	for _, f := range files {
		must(t, os.Remove(f))
	}
	v := salvage(t, dir)
	if v.Events != 3 || v.Lost != 5 {
		t.Fatalf("salvaged %+v", v)
	}
	s = open(t, dir)
	for _, childFirst := range []bool{true, false} {
		c := open(t, copyRunning(t, s))
		next := a.seal(t, room, texts(1, 10)...)
		a.seq[room], a.last[room] = a.seq[room]-1, next.Events[0].Parents[0]
		missing, err := c.Missing(room)
		must(t, err)
		same(t, "missing", missing, []event.ID{lost.Events[4].ID})
		order := []*event.Batch{lost, next}
		if childFirst {
			slices.Reverse(order)
		}
		for _, b := range order {
			if res := mustAppend(t, c, b); len(res.Forks) > 0 || !res.New[0] {
				t.Errorf("%+v", res)
			}
			must(t, c.Check(t.Context()))
		}
		heads, err := c.Heads(room)
		must(t, err)
		same(t, "heads", heads, batchIDs(next))
	}
}

// What cannot be salvaged is left as it is.
func TestSalvageRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, dir)
	mustAppend(t, s, newAuthor(1).seal(t, room, texts(3, 10)...))
	refuse := func(o Options, want error) {
		t.Helper()
		if v, err := Salvage(t.Context(), o, nil); !errors.Is(err, want) || v.Aside != "" {
			t.Errorf("got %+v and %v, want %v", v, err, want)
		}
	}
	refuse(Options{Dir: dir, Key: testKey}, ErrLocked)
	checkedClose(t, s)
	refuse(Options{Dir: dir, Key: [32]byte{9}}, ErrWrongKey)
	refuse(Options{Dir: dir + "x", Key: testKey}, fs.ErrNotExist)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Salvage(ctx, Options{Dir: dir, Key: testKey}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := count(open(t, dir), room); n != 3 {
		t.Errorf("%d events after salvaging was refused", n)
	}
}

// Killed between the two moves, the next opening makes the second one.
func TestSalvageGoesOnAfterAKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, dir)
	mustAppend(t, s, newAuthor(1).seal(t, room, texts(3, 10)...))
	checkedClose(t, s)
	v := salvage(t, dir)
	must(t, os.Rename(dir, dir+suffixMade))
	if n := count(open(t, dir), room); n != 3 {
		t.Errorf("%d events", n)
	}
	if _, err := os.Stat(v.Aside); err != nil {
		t.Error(err)
	}
}
