package eventlog

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// sealAll seals n events in batches, before the clock of a benchmark runs.
func sealAll(b *testing.B, a *author, n, batch, size int) (out []*event.Batch) {
	b.Helper()
	for ; n > 0; n -= batch {
		out = append(out, a.seal(b, room, texts(batch, size)...))
	}
	return out
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), Options{Dir: b.TempDir(), Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkAppend stores batches as fast as one caller can; one operation is
// one event.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name  string
		batch int
	}{{"batches-of-256", 256}, {"batches-of-16", 16}, {"single", 1}} {
		b.Run(c.name, func(b *testing.B) {
			s := benchStore(b)
			batches := sealAll(b, newAuthor(1), b.N, c.batch, 256)
			runtime.GC()
			b.ReportAllocs()
			b.ResetTimer()
			for _, x := range batches {
				if _, err := s.Append(b.Context(), x, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAppendDurable stores single events that are on disk when the call
// returns: by one caller, and by 64 that share the syncs.
func BenchmarkAppendDurable(b *testing.B) {
	b.Run("1-caller", func(b *testing.B) {
		s := benchStore(b)
		batches := sealAll(b, newAuthor(1), b.N, 1, 256)
		b.ResetTimer()
		for _, x := range batches {
			if _, err := s.Append(b.Context(), x, true); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("64-callers", func(b *testing.B) {
		s := benchStore(b)
		batches := sealAll(b, newAuthor(1), b.N, 1, 256)
		var next atomic.Int64
		b.SetParallelism(64 / runtime.GOMAXPROCS(0))
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Append(b.Context(), batches[next.Add(1)-1], true); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkRead reads a log of 100,000 events.
func BenchmarkRead(b *testing.B) {
	s := benchStore(b)
	batches := sealAll(b, newAuthor(1), 100_000, 256, 256)
	for _, x := range batches {
		mustAppend(b, s, x)
	}
	read := func(name string, n int, q Query) {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if got := len(collect(b, s.History(b.Context(), q))); got < n {
					b.Fatalf("%d events", got)
				}
			}
		})
	}
	e := batches[len(batches)/2].Events[0]
	middle := &Position{e.HLC, e.ID}
	read("newest-50", 50, Query{Log: room, Reverse: true, Limit: 50})
	read("50-before-the-middle", 50, Query{Log: room, Before: middle, Reverse: true, Limit: 50})
	read("50-after-the-middle", 50, Query{Log: room, After: middle, Limit: 50})
	read("all", 100_000, Query{Log: room})
	b.Run("get", func(b *testing.B) {
		for i := range b.N {
			x := batches[i*7919%len(batches)]
			if _, ok, err := s.Get(x.Events[i%256].ID); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}
