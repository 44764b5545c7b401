package eventlog

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// copyRunning copies a store while it is open, as a kill would leave it.
func copyRunning(t *testing.T, s *Store) string {
	t.Helper()
	dir := t.TempDir()
	copyDir(t, s.dir, dir)
	return dir
}

func TestCopyOfARunningStoreOpens(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(100, 100)...)
	mustAppend(t, s, b)
	small := a.seal(t, room, texts(2, 10)...)
	mustAppend(t, s, small)

	c := open(t, copyRunning(t, s))
	if got := ids(collect(t, c.History(t.Context(), Query{Log: room}))); !slices.Equal(got, batchIDs(b, small)) {
		t.Errorf("the copy has %d events", len(got))
	}
	if c.LastArrival() != s.LastArrival() {
		t.Errorf("the last arrival is %d, was %d", c.LastArrival(), s.LastArrival())
	}
	res := mustAppend(t, c, a.seal(t, room, texts(1, 1)...))
	if res.Arrival < 1+leaseSize {
		t.Errorf("after an unclean end arrival %d is within the old lease", res.Arrival)
	}
}

// A loss of power can leave the newer part of what was not synced and take the
// older, or leave keys and take the payload they point to. Both are made here,
// in the files of a store that did not close.
func TestTornStoreIsRepaired(t *testing.T) {
	tears := map[string]func(t *testing.T, db *badger.DB, p Appended){
		"payload, time and index lost": func(t *testing.T, db *badger.DB, p Appended) { tear(t, db, p, true) },
		"payload lost":                 func(t *testing.T, db *badger.DB, p Appended) { tear(t, db, p, false) },
	}
	for name, harm := range tears {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			a, other := newAuthor(1), newAuthor(2)
			before := a.seal(t, room, texts(10, 200)...)
			lost := a.seal(t, room, append(texts(9, 200), event.Draft{Kind: event.KindProfile})...)
			after := a.seal(t, room, texts(10, 200)...)
			elsewhere := other.seal(t, event.LogID{7}, texts(10, 200)...)
			mustAppend(t, s, before)
			res := mustAppend(t, s, lost)
			mustAppend(t, s, after)
			mustAppend(t, s, elsewhere)

			dir := copyRunning(t, s)
			db, err := openBadger(dir, testKey, profileFor(true), s.log)
			must(t, err)
			harm(t, db, res)
			must(t, db.Close())

			c := open(t, dir)
			if got := ids(collect(t, c.History(t.Context(), Query{Log: room}))); !slices.Equal(got, batchIDs(before, after)) {
				t.Errorf("%d events are left", len(got))
			}
			if got := count(c, event.LogID{7}); got != 10 {
				t.Errorf("another log has %d events", got)
			}
			st, err := c.Author(room, a.id)
			if err != nil || !slices.Equal(st.Gaps, []Run{{11, 20}}) {
				t.Errorf("the gap is not seen: %+v, %v", st, err)
			}
			if m, err := c.Missing(room); err != nil || !slices.Equal(m, batchIDs(lost)[9:]) {
				t.Errorf("missing %v, %v", m, err)
			}
			if got := mustAppend(t, c, lost); slices.Contains(got.New, false) {
				t.Error("what was lost cannot come again")
			}
			if n := len(collect(t, c.Control(t.Context(), room))); n != 1 {
				t.Errorf("%d control events", n)
			}
		})
	}
}

// A log's record comes with its first payload and with checkpoints. A loss of power may take the
// first, and leave a later payload that names the log by its number.
func TestALogWhoseRecordIsLostIsMadeAnew(t *testing.T) {
	s := open(t, t.TempDir())
	one, two, three := newAuthor(1), newAuthor(2), newAuthor(3)
	lost := mustAppend(t, s, one.seal(t, room, texts(3, 0)...))
	left := two.seal(t, room, texts(3, 0)...)
	mustAppend(t, s, left)
	dir := copyRunning(t, s)
	db, err := openBadger(dir, testKey, profileFor(true), s.log)
	must(t, err)
	tear(t, db, lost, true)
	must(t, db.Update(func(txn *badger.Txn) error { return txn.Delete(logKey(1)) }))
	must(t, db.Close())

	c := open(t, dir)
	mustAppend(t, c, three.seal(t, event.LogID{7}, texts(2, 0)...))
	if got := ids(collect(t, c.History(t.Context(), Query{Log: room}))); !slices.Equal(got, batchIDs(left)) {
		t.Errorf("%d events are left", len(got))
	}
	if n := count(c, event.LogID{7}); n != 2 {
		t.Errorf("another log has %d events", n)
	}
}

// tear takes a payload out, and with all what points to it.
func tear(t *testing.T, db *badger.DB, p Appended, all bool) {
	t.Helper()
	must(t, db.Update(func(txn *badger.Txn) error {
		var keys [][]byte
		collectKeys := func(space byte, points func(key, val []byte) bool) {
			must(t, scan(txn, []byte{space}, func(key, val []byte) error {
				if points(key, val) {
					keys = append(keys, slices.Clone(key))
				}
				return nil
			}))
		}
		last := p.Arrival + uint64(len(p.New)) - 1
		if all {
			collectKeys(spaceTime, func(key, _ []byte) bool { _, _, n := parseTimeKey(key); return n == p.Arrival })
			collectKeys(spaceIndex, func(_, val []byte) bool {
				rec, err := decodeIndexRec(val)
				must(t, err)
				return rec.arrival >= p.Arrival && rec.arrival <= last
			})
		}
		for _, k := range append(keys, appendPayloadKey(nil, p.Arrival)) {
			must(t, txn.Delete(k))
		}
		return nil
	}))
}

// An unreadable payload in the tail, here by a hole in the value log, is taken
// out like a missing one.
func TestUnreadablePayloadIsTakenOut(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	first := a.seal(t, room, texts(20, 200)...)
	second := a.seal(t, room, texts(20, 200)...)
	mustAppend(t, s, first)
	mustAppend(t, s, second)
	dir := copyRunning(t, s)
	logs, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	must(t, err)
	f, err := os.OpenFile(logs[len(logs)-1], os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 4096), int64(len(first.Payload())+200))
	must(t, err)
	must(t, f.Close())

	c := open(t, dir)
	if got := ids(collect(t, c.History(t.Context(), Query{Log: room}))); !slices.Equal(got, batchIDs(first)) {
		t.Errorf("%d events are left", len(got))
	}
	if got := mustAppend(t, c, second); slices.Contains(got.New, false) {
		t.Error("what was lost cannot come again")
	}
}

func TestCheckFindsWhatDoesNotFit(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	mustAppend(t, s, a.seal(t, room, append(texts(10, 50), event.Draft{Kind: event.KindProfile})...))
	s.profile.runLen = 8
	other := newAuthor(2).seal(t, room, texts(1, 50)...)
	mustAppend(t, s, other)
	erased, err := s.Erase(t.Context(), other.Events[0].ID) // has a record of its own
	if must(t, err); erased != 1 {
		t.Fatal("nothing was erased")
	}
	third := newAuthor(3)
	for range 8 { // write the others into a run
		_, err := s.Append(t.Context(), third.seal(t, event.LogID{9}, texts(1, 50)...), true)
		must(t, err)
	}
	must(t, s.Check(t.Context()))
	if runs := s.ids.runs; len(runs) == 0 {
		t.Fatal("there is no run")
	}
	for _, space := range []byte{spacePayload, spaceTime, spaceIndex, spaceRuns, spaceSums, spaceLog, spaceAuthor, spaceSeqs, spaceHead, spaceControl} {
		dir := copyRunning(t, s)
		db, err := openBadger(dir, testKey, profileFor(true), s.log)
		must(t, err)
		must(t, db.Update(func(txn *badger.Txn) error {
			return scan(txn, []byte{space}, func(key, _ []byte) error {
				return txn.Delete(slices.Clone(key))
			})
		}))
		// Closed in order, as far as the store knows: nothing is repaired.
		must(t, db.Update(func(txn *badger.Txn) error {
			rec := arrivalRec{clean: true, next: 100, synced: 100}
			return txn.Set(keyArrivals, rec.appendTo(nil))
		}))
		must(t, db.Close())
		c, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: true})
		must(t, err)
		if c.Check(t.Context()) == nil {
			t.Errorf("the check does not miss %c", space)
		}
		must(t, c.Close())
	}
}
