package dht

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
)

// spec: 09-dht §6
func TestWhatOthersToldSurvivesARestart(t *testing.T) {
	onSite(t, func(s *site) {
		log := [32]byte{7}
		s.start(0)
		teller := s.start(1, 0)
		teller.table.SetNick("anna")
		teller.table.Provide(log)
		time.Sleep(10 * time.Second)
		id := teller.ID()
		s.stop(1)
		s.stop(0)
		s.start(0)
		s.start(2, 0)
		time.Sleep(10 * time.Second)
		if r, err := s.lookup(2, id); err != nil || r.Nick != "anna" {
			t.Errorf("after a restart of the server the record is %v, %v", r, err)
		}
		ps, err := s.nodes[0].table.kad.ProviderStore().GetProviders(context.Background(), roomKey(log).Hash())
		if err != nil || len(ps) != 1 || ps[0].ID != id {
			t.Errorf("after a restart of the server those in the room are %v, %v", ps, err)
		}
	})
}

// The table is a cache: whatever is wrong with its directory, the node starts
// and says so.
func TestADamagedTableIsBegunAnew(t *testing.T) {
	ctx := context.Background()
	for name, damage := range map[string]func(path string) error{
		"nothing is wrong":        func(string) error { return nil },
		"its files are not there": os.RemoveAll,
		"its files are cut":       func(path string) error { return eachFile(path, func(b []byte) []byte { return b[:len(b)/2] }) },
		"its files are of zeros":  func(path string) error { return eachFile(path, func(b []byte) []byte { return make([]byte, len(b)) }) },
		"its files are of rubbish": func(path string) error {
			return eachFile(path, func(b []byte) []byte { return bytes.Repeat([]byte("rubbish"), len(b)/7) })
		},
		"it is a file": func(path string) error {
			return errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte("x"), 0o600))
		},
		"its parent is a file": func(path string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(path)), os.WriteFile(filepath.Dir(path), []byte("x"), 0o600))
		},
	} {
		dir := filepath.Join(t.TempDir(), "dht")
		store := openStore(dir, slog.New(slog.DiscardHandler))
		for i := range 100 {
			if err := store.Put(ctx, datastore.NewKey(fmt.Sprint("old", i)), []byte("told")); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := damage(filepath.Join(dir, "records")); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		store = openStore(dir, slog.New(slog.NewTextHandler(&said, nil)))
		if err := store.Put(ctx, datastore.NewKey("new"), []byte("told")); err != nil {
			t.Errorf("%s: nothing can be stored: %v", name, err)
		}
		if got, err := store.Get(ctx, datastore.NewKey("new")); err != nil || string(got) != "told" {
			t.Errorf("%s: stored and not found: %s, %v", name, got, err)
		}
		if _, err := store.Get(ctx, datastore.NewKey("old0")); name == "nothing is wrong" && err != nil {
			t.Errorf("%s: what was stored before is lost: %v", name, err)
		}
		if strings.HasSuffix(name, "a file") != (said.Len() > 0) { // the rest is repaired by LevelDB
			t.Errorf("%s: said %q", name, said.String())
		}
		if err := store.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func eachFile(dir string, change func([]byte) []byte) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, change(b), 0o600)
	})
}

// Some hundred keys fill the store; others are taken none the less, and what
// those told who told little stays. spec: 09-dht §6
func TestAFullStoreTakesFromThoseWhoHoldMost(t *testing.T) {
	ctx := context.Background()
	b, err := openBounded(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	key := func(who string, i int) datastore.Key {
		return datastore.NewKey(fmt.Sprintf("/providers/%d/%s", i, who))
	}
	const greedy = 100
	value := make([]byte, maxStored/greedy/10)
	put := func(key datastore.Key, value []byte) {
		t.Helper()
		if err := b.Put(ctx, key, value); err != nil {
			t.Fatal(err)
		}
		if b.size > maxStored {
			t.Fatalf("%d bytes", b.size)
		}
	}
	for i := range 20 {
		put(key("modest", i), value[:100])
	}
	for i := range 12 { // a fifth more than there is room for
		for k := range greedy {
			put(key(fmt.Sprint("greedy", k), i), value)
		}
	}
	put(key("late", 0), value[:100])
	w, err := b.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * greedy {
		if err := w.Put(ctx, key("batch", i), value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(ctx); err != nil || b.size > maxStored {
		t.Fatalf("a batch: %v, %d bytes", err, b.size)
	}
	for _, k := range append([]datastore.Key{key("late", 0)}, key("modest", 0), key("modest", 19)) {
		if has, err := b.Has(ctx, k); !has || err != nil {
			t.Errorf("%v is gone: %v", k, err)
		}
	}
	if b.evicted.Load() == 0 || b.size < maxStored/2 {
		t.Errorf("%d evicted, %d bytes left", b.evicted.Load(), b.size)
	}
	counted, held := b.size, b.held
	b.size, b.held = 0, make(map[uint64]int)
	if err := b.count(); err != nil || b.size != counted || !maps.Equal(b.held, held) {
		t.Errorf("%d bytes of %d holders were counted, and there are %d of %d: %v", counted, len(held), b.size, len(b.held), err)
	}
}

func TestFairShare(t *testing.T) {
	for _, c := range []struct {
		held        map[uint64]int
		limit, want int
	}{
		{nil, 10, math.MaxInt},
		{map[uint64]int{1: 3, 2: 4}, 10, math.MaxInt},
		{map[uint64]int{1: 3, 2: 40}, 10, 7},
		{map[uint64]int{1: 3, 2: 40, 3: 5}, 18, 10},
		{map[uint64]int{1: 30, 2: 40}, 10, 5},
		{map[uint64]int{1: 30, 2: 40}, -1, 0},
	} {
		if got := fairShare(c.held, c.limit); got != c.want {
			t.Errorf("%v in %d: %d, not %d", c.held, c.limit, got, c.want)
		}
	}
}

func TestABoundedStoreCountsWhatIsThere(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	b, err := openBounded(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := func(i int) datastore.Key { return datastore.NewKey(fmt.Sprint(i)) }
	for i := range 3 {
		if err := b.Put(ctx, key(i), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	w, err := b.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.Put(ctx, key(0), make([]byte, 50)), w.Put(ctx, key(4), make([]byte, 10)), w.Delete(ctx, key(1)), w.Delete(ctx, key(7)), w.Commit(ctx),
		b.Delete(ctx, key(2)), b.Delete(ctx, key(2)),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := 2*len("/0") + 50 + 10
	if b.size != want || len(b.held) != 2 {
		t.Errorf("%d bytes of %d are counted, not %d", b.size, len(b.held), want)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = openBounded(dir); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.size != want || len(b.held) != 2 {
		t.Errorf("after a restart %d bytes of %d are counted, not %d", b.size, len(b.held), want)
	}
}
