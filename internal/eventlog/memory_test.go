package eventlog

import (
	"runtime"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// What a store takes of the Go heap, in MB. While it works, badger may have all
// its write buffers, and a builder for each table it flushes or compacts; what
// it keeps once it is done stays within the tighter bound.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	for _, c := range []struct {
		name        string
		light       bool
		idle, after uint64
	}{{"light", true, 12, 28}, {"default", false, 20, 56}} {
		t.Run(c.name, func(t *testing.T) {
			base := heapMB()
			s, err := Open(t.Context(), Options{Dir: t.TempDir(), Key: testKey, Light: c.light})
			must(t, err)
			defer checkedClose(t, s)
			idle := heapMB() - base
			a := newAuthor(1)
			top := uint64(0)
			for n := 0; n < 100_000; n += 256 {
				mustAppend(t, s, a.seal(t, room, texts(256, 64)...))
				if n%(256*40) == 0 {
					top = max(top, heapMB()-base)
				}
			}
			for range s.History(t.Context(), Query{Log: room}) {
			}
			after := heapMB() - base
			for done := time.After(time.Minute); after > c.after; after = heapMB() - base {
				select {
				case <-time.Tick(time.Second): // badger frees the memory of a builder two seconds after its last use
				case <-done:
					t.Fatalf("%d MB are held when all is written, more than %d", after, c.after)
				}
			}
			busy := busyMB(s.profile)
			t.Logf("heap: %d MB idle, %d MB at most under load (bound %d), %d MB after", idle, top, busy, after)
			if idle > c.idle || top > busy {
				t.Errorf("more than %d MB idle or %d MB under load", c.idle, busy)
			}
		})
	}
}

// busyMB is the most that a store of the profile takes while it flushes a
// write buffer and runs both compactions: a table's builder begins with twice
// the size of a table and doubles (badger, table.NewTableBuilder).
func busyMB(p profile) uint64 {
	const table = 2 << 20
	buffers := int64(p.memtables+1) * p.memtable * 13 / 10
	builders := int64(2*table+4*table) + 2*2*table
	return uint64(buffers+builders+p.blockCache+p.indexCache+int64(p.recent+p.filters)) >> 20
}

// However many logs are written and read, and whatever loose ends they have,
// what is held of them stays within its bounds.
func TestWhatIsHeldOfLogsIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	s.profile.logsHeld, s.profile.endsHeld = 4, 20
	for n := range 60 {
		log := event.LogID{byte(n % 12)}
		mustAppend(t, s, newAuthor(n).seal(t, log, texts(1, 0)...)) // names no parents: one head more
		for other := range 12 {
			heads, err := s.Heads(event.LogID{byte(other)})
			want := n / 12
			if other <= n%12 {
				want++
			}
			if err != nil || len(heads) != min(want, event.MaxParents) {
				t.Fatalf("%d heads, want %d (%v)", len(heads), want, err)
			}
		}
		ends := 0
		s.logs.mu.Lock()
		held := len(s.logs.held)
		for _, l := range s.logs.held {
			ends += len(l.heads) + len(l.missing)
		}
		s.logs.mu.Unlock()
		if held > 4+1 || ends > 20+5 { // the bounds, and one log more
			t.Fatalf("%d logs with %d loose ends are held", held, ends)
		}
	}
}

func heapMB() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 20
}
