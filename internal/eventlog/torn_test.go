package eventlog

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// A loss of power may leave any beginning of badger's log and, independently,
// any beginning of its value log. Whatever is left: the store opens, is
// consistent, has what was synced, gives no number twice, and takes the rest again.
func TestTornAtAnyPlace(t *testing.T) {
	s := open(t, t.TempDir())
	synced, rest := tornWorld(t, s)
	src := copyRunning(t, s)
	mem, vlog := onlyFile(t, src, "*.mem"), onlyFile(t, src, "*.vlog")
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	r := rand.New(rand.NewPCG(1, 2))
	torn := 0
	for range rounds {
		dir := t.TempDir()
		copyDir(t, src, dir)
		if r.IntN(3) > 0 {
			zeroFrom(t, filepath.Join(dir, filepath.Base(mem.path)), between(r, mem.synced, mem.size))
		}
		if r.IntN(3) > 0 {
			zeroFrom(t, filepath.Join(dir, filepath.Base(vlog.path)), between(r, vlog.synced, vlog.size))
		}
		c := open(t, dir)
		for _, id := range batchIDs(synced...) {
			if _, ok, err := c.Get(id); !ok || err != nil {
				t.Fatalf("synced event %v: %v, %v", id, ok, err)
			}
		}
		must(t, c.Check(t.Context()))
		if count(c, room) < count(s, room) {
			torn++
		}
		for _, b := range append(slices.Clone(synced), rest...) {
			res := mustAppend(t, c, b)
			if res.Arrival > 0 && res.Arrival <= s.LastArrival() {
				t.Fatalf("number %d is given again", res.Arrival)
			}
		}
		if n := len(collect(t, c.History(t.Context(), Query{Log: room}))); n != count(s, room) {
			t.Fatalf("%d of %d events", n, count(s, room))
		}
		checkedClose(t, c)
	}
	if torn < rounds/2 {
		t.Errorf("only %d of %d copies were torn", torn, rounds)
	}
}

// tornFile is a file of a running store: how much of it holds data, and held
// when the store was synced.
type tornFile struct {
	path         string
	synced, size int64
}

func onlyFile(t *testing.T, dir, pattern string) tornFile {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	data, err := os.ReadFile(files[0])
	must(t, err)
	before, err := os.ReadFile(files[0] + ".synced")
	must(t, err)
	return tornFile{files[0], used(before), used(data)}
}

func used(data []byte) int64 { return int64(len(bytes.TrimRight(data, "\x00"))) }

// tornWorld fills a store: some batches durably, with a copy of the files as
// they are then, and some not.
func tornWorld(t *testing.T, s *Store) (synced, rest []*event.Batch) {
	t.Helper()
	authors := []*author{newAuthor(1), newAuthor(2), newAuthor(3)}
	batch := func(i int) *event.Batch {
		log := []event.LogID{room, {2}}[i%5/4]
		d := texts(1+i%4*7, 30+i%7*60)
		d[0].Expiry = uint64(i % 2)
		b := authors[i%3].seal(t, log, d...)
		if i%6 == 5 {
			authors[i%3].seal(t, log, texts(1, 10)...) // never arrives
		}
		return b
	}
	for i := range 20 {
		b := batch(i)
		if _, err := s.Append(t.Context(), b, true); err != nil {
			t.Fatal(err)
		}
		synced = append(synced, b)
	}
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		files, err := filepath.Glob(filepath.Join(s.dir, pattern))
		must(t, err)
		data, err := os.ReadFile(files[len(files)-1])
		must(t, err)
		must(t, os.WriteFile(files[len(files)-1]+".synced", data, 0o600))
	}
	for i := range 60 {
		b := batch(20 + i)
		mustAppend(t, s, b)
		rest = append(rest, b)
	}
	return synced, rest
}

func between(r *rand.Rand, low, high int64) int64 { return low + r.Int64N(high-low+1) }

// zeroFrom makes the end of a file what was never written.
func zeroFrom(t *testing.T, path string, at int64) {
	t.Helper()
	st, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, at))
	must(t, os.Truncate(path, st.Size()))
}
