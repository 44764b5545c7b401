package eventlog

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// derivedOf returns the derived records on disk.
func derivedOf(t *testing.T, s *Store) map[string]string {
	t.Helper()
	out := make(map[string]string)
	must(t, s.view(func(txn *badger.Txn) error {
		for _, space := range []byte{spaceSums, spaceLog, spaceAuthor, spaceSeqs, spaceHead, spaceMissing} {
			must(t, scan(txn, []byte{space}, func(key, val []byte) error {
				out[string(key)] = string(val)
				return nil
			}))
		}
		return nil
	}))
	return out
}

// chatter is a room in which two authors talk, one of them twice; parents come after their children,
// some never; batches come twice, in part; seqs are shared.
func chatter(t *testing.T, n int) (out []*event.Batch) {
	t.Helper()
	authors := []*author{newAuthor(1), newAuthor(2), newAuthor(2)}
	before, at := make(map[event.LogID]event.ID), make(map[event.LogID]int)
	for i := range n {
		a := authors[i%3]
		d := texts(1+i%5, i%3*10)
		log := event.LogID{byte(i / 2 % 2)}
		if id, ok := before[log]; ok && i%4 > 0 {
			d[0].Parents = []event.ID{id}
		}
		d[0].Expiry = uint64(i % 2)
		if i%7 == 0 {
			d[0].Kind = event.KindProfile
		}
		b := a.seal(t, log, d...)
		a.hlc += 700 << 16
		before[log] = b.Events[len(b.Events)-1].ID
		switch i % 11 {
		case 3: // never comes
		case 5:
			out = slices.Insert(out, at[log], b) // before the one that it may name
		case 9:
			out = append(out, b, b)
		default:
			at[log] = len(out)
			out = append(out, b)
		}
	}
	return out
}

// What a kill takes of the derived records is made anew from the payloads, to the
// byte what a store has that was closed, whatever came when.
func TestDerivedRecordsAreReplayed(t *testing.T) {
	batches := chatter(t, 300)
	s := open(t, t.TempDir())
	for i, b := range batches {
		mustAppend(t, s, b)
		if i%97 == 50 {
			asked(s, func() { must(t, s.checkpointNow()) })
		}
		if i%60 != 59 {
			continue
		}
		killed := open(t, copyRunning(t, s))
		asked(s, func() { must(t, s.checkpointNow()) })
		if got, want := derivedOf(t, killed), derivedOf(t, s); !maps.Equal(got, want) {
			t.Errorf("after %d batches %d records, want %d", i+1, len(got), len(want))
		}
		checkedClose(t, killed)
	}
}

// A checkpoint is small beside what it saves, and comes by itself before much waits.
func TestDerivedRecordsAreWrittenOnceForMany(t *testing.T) {
	s := open(t, t.TempDir())
	a, n, most := newAuthor(1), 0, 0
	var before uint64
	for range 2000 {
		mustAppend(t, s, a.seal(t, room, texts(1, 0)...))
		asked(s, func() {
			most = max(most, s.waiting())
			if from := s.writer.pending.from; from != before {
				n, before = n+1, from
			}
		})
	}
	if most > maxWaiting+10 || n > 200 {
		t.Errorf("%d checkpoints of 2000 commits; %d records waited", n, most)
	}
	b := newAuthor(2).seal(t, room, texts(1, 0)...)
	asked(s, func() { must(t, s.checkpointNow()) })
	records := derivedOf(t, s)
	mustAppend(t, s, b)
	if !maps.Equal(records, derivedOf(t, s)) {
		t.Error("a single event has changed derived records on disk")
	}
	if st, err := s.Author(room, b.Author()); err != nil || st.LastSeq != 1 || len(st.Gaps) > 0 {
		t.Errorf("%+v is known of the author (%v)", st, err)
	}
	if all, err := s.Authors(room, 10); err != nil || len(all) != 2 || bytes.Compare(all[0][:], all[1][:]) >= 0 {
		t.Errorf("authors %v (%v)", all, err)
	}
}

// Commits that are synced at once do not make checkpoints come sooner than once a second.
func TestCheckpointsComeOnceASecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: true})
		must(t, err)
		a, n := newAuthor(1), 0
		var before uint64
		for i := range 40 {
			if _, err := s.Append(t.Context(), a.seal(t, room, texts(1, 20)...), i%2 > 0); err != nil {
				t.Fatal(err)
			}
			<-time.After(syncDelay * 11 / 20)
			asked(s, func() {
				if from := s.writer.pending.from; from != before {
					n, before = n+1, from
				}
			})
		}
		if n < 3 || n > 6 {
			t.Errorf("%d checkpoints in 4 s", n)
		}
		must(t, s.Close())
	})
}

// What waits is bounded also when one commit has much that differs: a checkpoint comes with it.
func TestALargeCommitDoesNotWait(t *testing.T) {
	s := open(t, t.TempDir())
	var reqs []*request
	for i := range 170 {
		a := newAuthor(i)
		a.hlc += event.HLC(i) * 2000 << 16
		reqs = append(reqs, &request{batch: a.seal(t, room, texts(1, 0)...), done: make(chan struct{})})
	}
	asked(s, func() {
		s.commit(reqs)
		if n := s.waiting(); n >= maxWaiting {
			t.Errorf("%d records wait", n)
		}
	})
	if n := count(s, room); n != len(reqs) {
		t.Errorf("%d events", n)
	}
}

// A checkpoint that brings no payload is synced with its commit, for no payload would be missing
// if it were lost and a later one were not.
func TestACheckpointAloneIsSynced(t *testing.T) {
	for name, do := range map[string]func(s *Store) error{
		"check":  func(s *Store) error { return s.Check(t.Context()) },
		"change": func(s *Store) error { return s.change(t.Context(), 1, false, func(*group) error { return nil }) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			mustAppend(t, s, newAuthor(1).seal(t, room, texts(1, 0)...))
			must(t, do(s))
			asked(s, func() {
				if s.waiting() == 0 && s.writer.dirty {
					t.Error("it is not synced")
				}
			})
		})
	}
}

// A loss of power may take a payload and leave the checkpoint that tells of it, also where
// nothing else of its log came since.
func TestACheckpointMayTellOfWhatIsLost(t *testing.T) {
	s := open(t, t.TempDir())
	one, two := newAuthor(1), newAuthor(2)
	for range 3 {
		mustAppend(t, s, one.seal(t, room, texts(3, 0)...))
		mustAppend(t, s, two.seal(t, event.LogID{2}, texts(3, 0)...))
	}
	must(t, s.Close())
	s = open(t, s.dir)
	mustAppend(t, s, one.seal(t, room, texts(3, 0)...))
	lost := mustAppend(t, s, two.seal(t, event.LogID{2}, texts(3, 0)...))
	asked(s, func() {
		must(t, s.checkpointNow())
		must(t, s.db.Update(func(txn *badger.Txn) error {
			no, _ := s.logs.number(event.LogID{2})
			p, err := s.payload(txn, lost.Arrival)
			must(t, err)
			must(t, txn.Delete(appendTimeKey(nil, no, p.batch.Events[0].HLC, lost.Arrival)))
			return txn.Delete(appendPayloadKey(nil, lost.Arrival))
		}))
	})
	torn := open(t, copyRunning(t, s))
	if n := count(torn, event.LogID{2}); n != 9 {
		t.Errorf("%d events, want 9", n)
	}
	checkedClose(t, torn)
	must(t, s.Close()) // what it has is not what it thinks
}
