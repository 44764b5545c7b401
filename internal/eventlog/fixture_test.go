package eventlog

import (
	"archive/tar"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

var update = flag.Bool("update", false, "write the fixture of the present schema")

func fixturePath(schema int) string { return fmt.Sprintf("testdata/schema%d.tar.gz", schema) }

// Stores of all schemas, closed in order or not, become one of the present
// schema when they are opened, with everything that was in them. A fixture of
// each schema lies in testdata: a store that was closed and a copy of one that
// ran. That of the present one is written by -update before the schema changes;
// those before it cannot be written any more.
func TestEarlierSchemasAreTakenOver(t *testing.T) {
	if *update {
		updateFixture(t)
	}
	want := open(t, t.TempDir())
	fillFixture(t, want)
	for schema := 1; schema < SchemaVersion; schema++ {
		dirs := readFixture(t, fixturePath(schema))
		for _, name := range []string{"closed", "running"} {
			t.Run(fmt.Sprintf("%d/%s", schema, name), func(t *testing.T) {
				for range 2 { // the second time it is one of the present schema
					s := open(t, dirs[name])
					sameStores(t, s, want)
					checkedClose(t, s)
				}
			})
		}
	}
}

func updateFixture(t *testing.T) {
	t.Helper()
	s := open(t, t.TempDir())
	fillFixture(t, s)
	running := copyRunning(t, s)
	checkedClose(t, s)
	writeFixture(t, fixturePath(SchemaVersion), map[string]string{"running": running, "closed": s.dir})
}

// fillFixture fills a store with some of everything that a schema describes,
// over half a year: batches and single events, what came twice, late and in
// another order, forks, gaps, missing parents, contents left out and contents
// that came later, kinds other than messages, and the application's values.
func fillFixture(t *testing.T, s *Store) {
	t.Helper()
	a, b, c := newAuthor(1), newAuthor(2), newAuthor(3)
	other := event.LogID{2}
	var all []*event.Batch
	add := func(b *event.Batch) *event.Batch { all = append(all, b); return b }
	add(a.seal(t, room, event.Draft{Kind: event.KindProfile, Payload: []byte("nick")}))
	add(a.seal(t, room, texts(40, 30)...))
	busy := add(b.seal(t, room, texts(100, 3)...))
	for i := range 30 {
		a.hlc += event.HLCAt(time.UnixMilli(int64(1000 << i / (1 << 10)))) // gaps of a second to six days
		d := texts(1+i%3, 20)
		d[0].Parents = []event.ID{busy.Events[i].ID}
		add(a.seal(t, room, d...))
	}
	add(c.seal(t, other, texts(3, 1500)...))
	c.seal(t, other, texts(2, 10)...) // never arrives: a gap, and a missing parent
	late := c.seal(t, other, texts(5, 10)...)
	add(c.seal(t, other, event.Draft{Kind: 77, Payload: []byte("of a later version"), Parents: []event.ID{{9}, {8}}}))
	add(late)
	c.seq[other], c.last[other] = 3, all[len(all)-3].Events[2].ID
	add(c.seal(t, other, event.Draft{Payload: []byte("a fork")}))
	add(decoded(t, busy.Single, 7))                             // came before
	add(decoded(t, b.seal(t, room, texts(3, 40)...).Single, 1)) // alone, its batch never comes
	bare := b.seal(t, room, texts(4, 50)...)
	for i := range 3 { // two stay without content, one comes later
		bare = decoded(t, bare.Erase, i)
	}
	add(bare)
	add(decoded(t, add(a.seal(t, other, texts(2, 60)...)).Erase, 0)) // changes nothing
	for i, x := range all {
		if _, err := s.Append(t.Context(), x, i%5 == 0); err != nil {
			t.Fatal(err)
		}
	}
	must(t, s.SetMeta("cursor", []byte{1, 2, 3}))
	must(t, s.SetMeta("empty", []byte{}))
}

// decoded decodes what a form of event i of a batch is.
func decoded(t *testing.T, form func(i int) ([]byte, error), i int) *event.Batch {
	t.Helper()
	p, err := form(i)
	must(t, err)
	b, err := event.Decode(p)
	must(t, err)
	return b
}

// sameStores compares all that two stores give.
func sameStores(t *testing.T, got, want *Store) {
	t.Helper()
	for _, log := range []event.LogID{room, {2}} {
		q := Query{Log: log}
		all := collect(t, want.History(t.Context(), q))
		if have := collect(t, got.History(t.Context(), q)); !sameEntries(have, all) {
			t.Errorf("log %v: %d events, want %d, or others", log, len(have), len(all))
		}
		same(t, "control", ids(collect(t, got.Control(t.Context(), log))), ids(collect(t, want.Control(t.Context(), log))))
		heads, err := got.Heads(log)
		must(t, err)
		wantHeads, err := want.Heads(log)
		must(t, err)
		same(t, "heads", heads, wantHeads)
		missing, err := got.Missing(log)
		must(t, err)
		wantMissing, err := want.Missing(log)
		must(t, err)
		same(t, "missing parents", missing, wantMissing)
		for n := range 4 {
			have, err := got.Author(log, newAuthor(n).id)
			must(t, err)
			wantAuthor, err := want.Author(log, newAuthor(n).id)
			must(t, err)
			same(t, "author", have, wantAuthor)
		}
	}
	same(t, "arrivals", ids(collect(t, got.Since(t.Context(), 0))), ids(collect(t, want.Since(t.Context(), 0))))
	for _, key := range []string{"cursor", "empty", "none"} {
		have, err := got.Meta(key)
		must(t, err)
		wantVal, err := want.Meta(key)
		must(t, err)
		same(t, "value "+key, have, wantVal)
	}
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// writeFixture packs directories, each under its name.
func writeFixture(t *testing.T, path string, dirs map[string]string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	must(t, err)
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for name, dir := range dirs {
		eachFile(t, dir, func(path string) {
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, w.WriteHeader(&tar.Header{Name: name + "/" + filepath.Base(path), Mode: 0o600, Size: int64(len(data)), Format: tar.FormatUSTAR}))
			_, err = w.Write(data)
			must(t, err)
		})
	}
	must(t, w.Close())
	must(t, z.Close())
	must(t, f.Close())
}

// readFixture unpacks a fixture and returns its directories.
func readFixture(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	top := t.TempDir()
	dirs := make(map[string]string)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		name := filepath.Dir(h.Name)
		dirs[name] = filepath.Join(top, name)
		must(t, os.MkdirAll(dirs[name], 0o700))
		must(t, os.WriteFile(filepath.Join(dirs[name], filepath.Base(h.Name)), data, 0o600))
	}
	return dirs
}
