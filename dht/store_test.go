package dht

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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

// spec: 09-dht §6
func TestAFullStoreTakesNothingNew(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	b, err := openBounded(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := func(i int) datastore.Key { return datastore.NewKey(fmt.Sprint(i)) }
	value := make([]byte, 100)
	for i := range 3 {
		if err := b.Put(ctx, key(i), value); err != nil {
			t.Fatal(err)
		}
	}
	if want := 3 * (len("/0") + 100); b.size != want {
		t.Errorf("%d bytes are counted, not %d", b.size, want)
	}
	full := func() { b.size = maxStored - 50 } // as if others had filled it
	full()
	if err := b.Put(ctx, key(3), value); !errors.Is(err, errFull) {
		t.Errorf("what is new: %v", err)
	}
	if err := b.Put(ctx, key(0), value); err != nil {
		t.Errorf("what replaces something: %v", err)
	}
	other := bytes.Repeat([]byte{1}, 100)
	w, err := b.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Put(ctx, key(1), other), w.Put(ctx, key(4), value), w.Commit(ctx)} {
		if err != nil {
			t.Errorf("a batch: %v", err)
		}
	}
	if has, err := b.Has(ctx, key(4)); has || err != nil {
		t.Errorf("a batch stores what there is no room for: %v", err)
	}
	if got, err := b.Get(ctx, key(1)); err != nil || !bytes.Equal(got, other) {
		t.Errorf("the rest of a batch: %s, %v", got, err)
	}
	if err := b.Delete(ctx, key(2)); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(ctx, key(3), value); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = openBounded(dir); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if want := 3 * (len("/0") + 100); b.size != want {
		t.Errorf("after a restart %d bytes are counted, not %d", b.size, want)
	}
}
