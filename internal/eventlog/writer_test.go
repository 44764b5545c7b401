package eventlog

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/event"
)

// Many callers at once: their requests share commits, arrivals are unique, and
// every Since that follows sees each event once.
func TestManyCallersShareCommits(t *testing.T) {
	s := open(t, t.TempDir())
	const callers, each = 32, 40
	done := make(chan int)
	go func() { done <- follow(t, s, callers*each) }()
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			a := newAuthor(n)
			for i := range each {
				if _, err := s.Append(t.Context(), a.seal(t, event.LogID{byte(n % 3)}, texts(1, 20)...), i%10 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := <-done; n != callers*each {
		t.Errorf("a follower saw %d events", n)
	}
	if st := s.Stats(); st.Events != callers*each || st.Logs != 3 || st.Bytes < 0 {
		t.Errorf("stats %+v", st)
	}
}

// follow reads Since until it has seen n events, and returns how many differ.
func follow(t *testing.T, s *Store, n int) int {
	seen := make(map[event.ID]bool)
	cursor := uint64(0)
	for len(seen) < n {
		changed := s.Changed()
		for e, err := range s.Since(t.Context(), cursor) {
			if err != nil || e.Arrival <= cursor || seen[e.Event.ID] {
				t.Errorf("arrival %d after %d: %v", e.Arrival, cursor, err)
				return len(seen)
			}
			seen[e.Event.ID] = true
			cursor = e.Arrival
		}
		if len(seen) < n {
			<-changed
		}
	}
	return len(seen)
}

func TestCloseEndsEverybody(t *testing.T) {
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	for n := range 8 {
		a := newAuthor(n)
		wg.Go(func() {
			for {
				_, err := s.Append(t.Context(), a.seal(t, room, texts(1, 20)...), false)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for {
				for _, err := range s.History(t.Context(), Query{Log: room}) {
					if errors.Is(err, ErrClosed) {
						return
					}
				}
				if _, err := s.Heads(room); errors.Is(err, ErrClosed) {
					return
				}
			}
		})
	}
	for s.LastArrival() < 50 {
		<-s.Changed()
	}
	for range 3 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := s.AppendAll(t.Context(), []*event.Batch{newAuthor(1).seal(t, room, texts(1, 1)...)}, false); !errors.Is(err[0], ErrClosed) {
		t.Errorf("a closed store takes batches: %v", err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("check: %v", err)
	}
}

// A caller may close the store while he iterates over it.
func TestCloseInsideAnIteration(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, newAuthor(1).seal(t, room, texts(200, 20)...))
	var last error
	n := 0
	for _, err := range s.History(t.Context(), Query{Log: room}) {
		if n++; n == 1 {
			must(t, s.Close())
		}
		last = err
	}
	if !errors.Is(last, ErrClosed) || n > firstPage+1 {
		t.Errorf("%d pairs, then %v", n, last)
	}
}

// AppendAll shares commits and answers each batch for itself; what finds the
// queue full waits, as long as its context does.
func TestAppendAll(t *testing.T) {
	s := open(t, t.TempDir())
	release := make(chan struct{})
	held := make(chan struct{})
	go func() { s.asks <- func() { close(held); <-release } }()
	<-held // the writer is busy
	a := newAuthor(1)
	batches := make([]*event.Batch, s.profile.queue)
	for i := range batches {
		batches[i] = a.seal(t, room, texts(1, 20)...)
	}
	batches[9] = batches[8] // one comes twice
	type results struct {
		res  []Appended
		errs []error
	}
	out := make(chan results)
	go func() {
		res, errs := s.AppendAll(t.Context(), batches, false)
		out <- results{res, errs}
	}()
	for s.Stats().Queued < len(batches) {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(ctx, batches[0], false); !errors.Is(err, context.Canceled) {
		t.Errorf("append waits beyond its context: %v", err)
	}
	close(release)
	all := <-out
	for i := range batches {
		if all.errs[i] != nil || all.res[i].New[0] == (i == 9) {
			t.Errorf("batch %d: %+v, %v", i, all.res[i], all.errs[i])
		}
	}
}

// Who is told that it failed does not find it stored: what the writer has
// already is waited for, whatever becomes of the context.
func TestWhatIsStoredIsNotCalledCancelled(t *testing.T) {
	s := open(t, t.TempDir())
	release := make(chan struct{})
	held := make(chan struct{})
	go func() { s.asks <- func() { close(held); <-release } }()
	<-held // the writer is busy
	b := newAuthor(1).seal(t, room, texts(1, 20)...)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan error)
	go func() {
		_, err := s.Append(ctx, b, false)
		told <- err
	}()
	for s.Stats().Queued < 1 {
		runtime.Gosched()
	}
	cancel()
	close(release)
	if err := <-told; err != nil {
		t.Errorf("stored, and told that it is not: %v", err)
	}
}

// In fake time: what was not asked to be durable is synced 200 ms later, once,
// and an idle store does nothing.
func TestSyncedWithin200ms(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: true})
		must(t, err)
		a := newAuthor(1)
		dirty := func() (d bool) {
			asked(s, func() { d = s.writer.dirty })
			return d
		}
		for range 3 {
			if _, err := s.Append(t.Context(), a.seal(t, room, texts(1, 20)...), false); err != nil {
				t.Fatal(err)
			}
		}
		if !dirty() {
			t.Error("synced at once")
		}
		<-time.After(syncDelay + time.Millisecond)
		synctest.Wait()
		if dirty() {
			t.Error("not synced after 200 ms")
		}
		if _, err := s.Append(t.Context(), a.seal(t, room, texts(1, 20)...), true); err != nil || dirty() {
			t.Errorf("durable and not synced, or %v", err)
		}
		// What follows from that one waits for a checkpoint. The next must not wait as long.
		mustAppend(t, s, a.seal(t, room, texts(1, 20)...))
		<-time.After(syncDelay + time.Millisecond)
		synctest.Wait()
		if dirty() {
			t.Error("not synced after 200 ms, for a checkpoint is due later")
		}
		must(t, s.Check(t.Context()))
		must(t, s.Close())
	})
}

// A full disk refuses writing with a code; reading goes on, and writing when
// there is space again.
func TestDiskFull(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(3, 20)...)
	mustAppend(t, s, b)
	asked(s, func() { s.free = func(string) (uint64, error) { return s.profile.reserve + 10, nil } })
	next := a.seal(t, room, texts(3, 20)...)
	if _, err := s.Append(t.Context(), next, true); !errors.Is(err, ErrDiskFull) {
		t.Errorf("append to a full disk: %v", err)
	}
	if err := s.SetMeta("x", []byte("y")); !errors.Is(err, ErrDiskFull) {
		t.Errorf("meta on a full disk: %v", err)
	}
	if got := ids(collect(t, s.History(t.Context(), Query{Log: room}))); !slices.Equal(got, batchIDs(b)) {
		t.Error("a full disk cannot be read")
	}
	asked(s, func() { s.free = freeBytes })
	mustAppend(t, s, next)
}

// An author who leaves gaps and forks everywhere makes no record grow, and
// nothing that he did is forgotten.
func TestScatteredEventsMakeNoRecordGrow(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a, twin := newAuthor(1), newAuthor(1)
	want := AuthorState{LastSeq: 1999}
	for i := range 1000 {
		b := a.seal(t, room, texts(1, 0)...)
		mustAppend(t, s, b)
		rival := twin.seal(t, room, event.Draft{Payload: []byte{1}})
		mustAppend(t, s, rival)
		want.Forks = append(want.Forks, Run{b.Events[0].Seq, b.Events[0].Seq})
		want.LastID = slices.MinFunc(batchIDs(b, rival), event.ID.Compare)
		if i < 999 {
			want.Gaps = append(want.Gaps, Run{b.Events[0].Seq + 1, b.Events[0].Seq + 1})
			a.seal(t, room, texts(1, 0)...)
			twin.seal(t, room, texts(1, 1)...)
		}
	}
	for range 2 {
		if st, err := s.Author(room, a.id); err != nil || !reflect.DeepEqual(st, want) {
			t.Errorf("%d gaps, %d forks, last %d (%v)", len(st.Gaps), len(st.Forks), st.LastSeq, err)
		}
		must(t, s.view(func(txn *badger.Txn) error {
			for _, space := range []byte{spaceAuthor, spaceSeqs, spaceLog, spaceSums} {
				must(t, scan(txn, []byte{space}, func(key, val []byte) error {
					if len(val) > 100 {
						t.Errorf("record %c has %d bytes", space, len(val))
					}
					return nil
				}))
			}
			return nil
		}))
		checkedClose(t, s)
		s = open(t, dir)
	}
}

func TestNumberOfLogsIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	s.profile.logs = 3
	a := newAuthor(1)
	for n := range 4 {
		_, err := s.Append(t.Context(), a.seal(t, event.LogID{byte(n)}, texts(1, 0)...), false)
		if (n == 3) != errors.Is(err, ErrScattered) {
			t.Errorf("log %d: %v", n, err)
		}
	}
	mustAppend(t, s, a.seal(t, event.LogID{0}, texts(1, 0)...))
}

func TestLooseEndsAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	s.profile.looseEnds = 4
	for n := range 4 { // heads: who begins without naming any adds one
		mustAppend(t, s, newAuthor(n).seal(t, room, texts(1, 0)...))
	}
	if _, err := s.Append(t.Context(), newAuthor(9).seal(t, room, texts(1, 0)...), false); !errors.Is(err, ErrScattered) {
		t.Errorf("a head too many: %v", err)
	}
	heads, err := s.Heads(room)
	must(t, err)
	a := newAuthor(10)
	mustAppend(t, s, a.seal(t, room, event.Draft{Parents: heads[:1]}))
	for i := range 6 { // missing parents
		b := a.seal(t, room, event.Draft{Parents: []event.ID{{byte(i + 1)}}})
		if _, err := s.Append(t.Context(), b, false); (i >= 4) != errors.Is(err, ErrScattered) {
			t.Fatalf("missing parent %d: %v", i, err)
		}
	}
}

// What one author makes of them leaves place for others, and he may go on
// when his gaps are closed.
func TestLooseEndsOfOneAuthorAreBounded(t *testing.T) {
	s := open(t, t.TempDir())
	s.profile.looseOfOne = 4
	a, b := newAuthor(1), newAuthor(2)
	late := b.seal(t, room, texts(1, 0)...)
	invented := func(n byte) event.Draft { return event.Draft{Parents: []event.ID{{n}, {n, 1}}} }
	mustAppend(t, s, a.seal(t, room, event.Draft{Parents: []event.ID{{1}, {2}, late.Events[0].ID}}))
	more := a.seal(t, room, invented(3)) // a head and three missing parents are there
	if _, err := s.Append(t.Context(), more, false); !errors.Is(err, ErrScattered) {
		t.Errorf("more of one author: %v", err)
	}
	mustAppend(t, s, newAuthor(3).seal(t, room, invented(3)))
	mustAppend(t, s, late)
	mustAppend(t, s, more)
}

// A commit that uses up the leased numbers is on disk before anyone hears of
// it: else they could be given again after a loss of power.
func TestLeaseIsExtended(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	mustAppend(t, s, a.seal(t, room, texts(1, 20)...))
	var leased uint64
	asked(s, func() { leased = s.writer.next + 6; s.writer.leased = leased })
	mustAppend(t, s, a.seal(t, room, texts(5, 20)...))
	asked(s, func() {
		if s.writer.dirty || s.writer.next >= leased || s.writer.leased < leased+leaseSize/2 {
			t.Error("the lease is not extended before it is used up, or not synced")
		}
	})
	c := open(t, copyRunning(t, s))
	if c.writer.next <= s.writer.next {
		t.Errorf("numbering goes on at %d, before %d", c.writer.next, s.writer.next)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	dir := t.TempDir()
	for range 2 { // closing takes them away, so that a store may be opened again
		s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: true, Registerer: reg})
		must(t, err)
		mustAppend(t, s, newAuthor(1).seal(t, room, texts(4, 20)...))
		families, err := reg.Gather()
		must(t, err)
		got := map[string]float64{}
		for _, f := range families {
			m := f.GetMetric()[0]
			got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		if got["parley_store_held_events"] != 4 || got["parley_store_events_total"]+got["parley_store_duplicates_total"] != 4 {
			t.Errorf("metrics %v", got)
		}
		must(t, s.Close())
	}
}

// Close leaves no goroutine.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s := open(t, t.TempDir())
	mustAppend(t, s, newAuthor(1).seal(t, room, texts(4, 2000)...))
	checkedClose(t, s)
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines more:\n%s", n-before, buf[:runtime.Stack(buf, true)])
	}
}

// A memtable that fills up between two syncs leaves a log that badger does not
// sync: the writer has to follow.
func TestSyncFollowsFilledMemtables(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	var first, last int
	at := func(n *int) { asked(s, func() { *n = s.writer.memLog }) }
	at(&first)
	for range 6000 {
		mustAppend(t, s, a.seal(t, room, texts(1, 500)...))
	}
	if _, err := s.Append(t.Context(), a.seal(t, room, texts(1, 0)...), true); err != nil {
		t.Fatal(err)
	}
	at(&last)
	if newest, err := newestFile(s.dir, ".mem"); err != nil || last != newest || last == first {
		t.Errorf("the writer is at memtable log %d, badger at %d, both began at %d (%v)", last, newest, first, err)
	}
}
