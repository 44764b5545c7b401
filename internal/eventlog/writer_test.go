package eventlog

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	if s.AppendAsync(newAuthor(1).seal(t, room, texts(1, 1)...), func(Appended, error) { t.Error("called") }) {
		t.Error("a closed store takes batches")
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

func TestFullQueue(t *testing.T) {
	s := open(t, t.TempDir())
	release := make(chan struct{})
	held := make(chan struct{})
	go func() { s.asks <- func() { close(held); <-release } }()
	<-held // the writer is busy
	a := newAuthor(1)
	results := make(chan error, s.profile.queue)
	for range s.profile.queue {
		if !s.AppendAsync(a.seal(t, room, texts(1, 20)...), func(_ Appended, err error) { results <- err }) {
			t.Fatal("refused before the queue is full")
		}
	}
	b := a.seal(t, room, texts(1, 20)...)
	if s.AppendAsync(b, func(Appended, error) { t.Error("called") }) {
		t.Error("a full queue takes more")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(ctx, b, false); !errors.Is(err, context.Canceled) {
		t.Errorf("append waits beyond its context: %v", err)
	}
	close(release)
	for range s.profile.queue {
		if err := <-results; err != nil {
			t.Error(err)
		}
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
			done := make(chan struct{})
			s.asks <- func() { d = s.writer.dirty; close(done) }
			<-done
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
	full := func(on bool) {
		done := make(chan struct{})
		s.asks <- func() {
			s.free = freeBytes
			if on {
				s.free = func(string) (uint64, error) { return s.profile.reserve + 10, nil }
			}
			close(done)
		}
		<-done
	}
	full(true)
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
	full(false)
	mustAppend(t, s, next)
}

// Beyond their bounds, gaps, forks and loose ends are refused to who makes
// them, and nobody else.
func TestScatteredEventsAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	s.profile.runs = 3
	a := newAuthor(1)
	var skipped []*event.Batch
	for i := range 4 {
		b := a.seal(t, room, texts(1, 0)...)
		skipped = append(skipped, a.seal(t, room, texts(1, 0)...))
		if _, err := s.Append(t.Context(), b, false); (i == 3) != errors.Is(err, ErrScattered) {
			t.Fatalf("run %d: %v", i, err)
		}
	}
	mustAppend(t, s, newAuthor(2).seal(t, room, texts(1, 0)...))
	mustAppend(t, s, skipped[0])

	twin := newAuthor(1)
	for i := range 9 {
		b := twin.seal(t, room, event.Draft{Payload: []byte{byte(i)}})
		if i%2 == 0 {
			_, err := s.Append(t.Context(), b, false)
			if err != nil && !errors.Is(err, ErrScattered) {
				t.Fatal(err)
			}
		}
	}
	if st, err := s.Author(room, a.id); err != nil || len(st.Forks) > 3 {
		t.Errorf("%+v, %v", st, err)
	}
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

// A commit that uses up the leased numbers is on disk before anyone hears of
// it: else they could be given again after a loss of power.
func TestLeaseIsExtended(t *testing.T) {
	s := open(t, t.TempDir())
	a := newAuthor(1)
	mustAppend(t, s, a.seal(t, room, texts(1, 20)...))
	ask := func(fn func()) {
		done := make(chan struct{})
		s.asks <- func() { fn(); close(done) }
		<-done
	}
	ask(func() { s.writer.leased = s.writer.next + 1 })
	mustAppend(t, s, a.seal(t, room, texts(5, 20)...))
	ask(func() {
		if s.writer.dirty {
			t.Error("the lease is not synced")
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
	at := func(n *int) {
		done := make(chan struct{})
		s.asks <- func() { *n = s.writer.memLog; close(done) }
		<-done
	}
	at(&first)
	for n := 0; n < 60_000; n += 256 {
		mustAppend(t, s, a.seal(t, room, texts(256, 0)...))
	}
	if _, err := s.Append(t.Context(), a.seal(t, room, texts(1, 0)...), true); err != nil {
		t.Fatal(err)
	}
	at(&last)
	if newest, err := newestMemLog(s.dir); err != nil || last != newest || last == first {
		t.Errorf("the writer is at memtable log %d, badger at %d, both began at %d (%v)", last, newest, first, err)
	}
}
