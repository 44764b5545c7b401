package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
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

// BenchmarkSetCuts cuts one of two authors in a log of 200,000 events: those behind the place go, a
// hundredth or half of all. One operation is the cut.
func BenchmarkSetCuts(b *testing.B) {
	for name, keep := range map[string]int{"1-percent": 98, "half": 0} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := benchStore(b)
				x, y := newAuthor(1), newAuthor(2)
				batches := sealAll(b, x, 100_000, 100, 256)
				for i, batch := range sealAll(b, y, 100_000, 100, 256) {
					_, errs := s.AppendAll(b.Context(), []*event.Batch{batch, batches[i]}, false)
					if err := errors.Join(errs...); err != nil {
						b.Fatal(err)
					}
				}
				cut := cutAt(&batches[keep*len(batches)/100].Events[0])
				b.StartTimer()
				if _, err := s.SetCuts(b.Context(), []Cut{cut}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.Close()
			}
		})
	}
}

// BenchmarkAppendRoom stores single events as a room of twenty authors who write in turn brings
// them: each names the last ones of seven others.
func BenchmarkAppendRoom(b *testing.B) {
	s := benchStore(b)
	var authors []*author
	for n := range 20 {
		authors = append(authors, newAuthor(n))
	}
	batches := make([]*event.Batch, b.N)
	for i := range batches {
		d := texts(1, 256)
		for n := range min(i, 7) {
			d[0].Parents = append(d[0].Parents, batches[i-n-1].Events[0].ID)
		}
		batches[i] = authors[i%len(authors)].seal(b, room, d...)
	}
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	for _, x := range batches {
		if _, err := s.Append(b.Context(), x, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendAll stores batches of 256 as they come from the network, several in a
// commit; one operation is one event.
func BenchmarkAppendAll(b *testing.B) {
	s := benchStore(b)
	batches := sealAll(b, newAuthor(1), b.N, 256, 256)
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	for part := range slices.Chunk(batches, 4) {
		if _, errs := s.AppendAll(b.Context(), part, false); errs[0] != nil {
			b.Fatal(errs)
		}
	}
}

// BenchmarkSince follows what is stored, as live readers do; one operation is one event.
func BenchmarkSince(b *testing.B) {
	s := benchStore(b)
	batches := sealAll(b, newAuthor(1), b.N, 256, 256)
	b.ReportAllocs()
	b.ResetTimer()
	cursor := uint64(0)
	for _, x := range batches {
		b.StopTimer()
		mustAppend(b, s, x)
		b.StartTimer()
		for e, err := range s.Since(b.Context(), cursor) {
			if err != nil {
				b.Fatal(err)
			}
			cursor = e.Arrival
		}
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

// BenchmarkRange asks for what reconciliation asks of a log: a million events,
// half of them over six weeks and half within a minute.
func BenchmarkRange(b *testing.B) {
	s := benchStore(b)
	slow, fast := newAuthor(1), newAuthor(2)
	const batches = 2000
	fast.hlc += batches * 2000 * 1000 << 16
	for range batches {
		slow.hlc += 2000 * 1000 << 16
		mustAppend(b, s, slow.seal(b, room, texts(250, 20)...))
		d := texts(250, 20)
		for i := range d {
			fast.hlc += 60_000 << 16 / (batches * 250)
			d[i].HLC = fast.hlc
		}
		mustAppend(b, s, fast.seal(b, room, d...))
	}
	set := s.Range(room)
	dense := secondOf(fast.hlc) - 5
	all := [2]reconcile.Bound{reconcile.At(0), reconcile.At(reconcile.Infinity)}
	must := func(b *testing.B, got, want uint64, err error) {
		if err != nil || got < want {
			b.Fatal(got, err)
		}
	}
	b.Run("sum-all", func(b *testing.B) {
		for range b.N {
			sum, err := set.Sum(all[0], all[1])
			must(b, sum.Count, 2*batches*250, err)
		}
	})
	b.Run("sum-to-the-middle", func(b *testing.B) {
		for range b.N {
			sum, err := set.Sum(all[0], reconcile.At(secondOf(slow.hlc)-batches*1000))
			must(b, sum.Count, batches/2*250-1000, err)
		}
	})
	b.Run("split-16", func(b *testing.B) {
		for range b.N {
			bounds, err := set.Split(all[0], all[1], 16)
			must(b, uint64(len(bounds)), 15, err)
		}
	})
	b.Run("items-of-a-dense-second", func(b *testing.B) {
		for i := range b.N {
			from := reconcile.At(dense - uint64(i%2)) // not at hand
			items, err := set.Items(from, reconcile.At(from.Second+1), 100_000)
			must(b, uint64(len(items)), 5000, err)
		}
	})
	b.Run("again", func(b *testing.B) {
		for range b.N {
			items, err := set.Items(reconcile.At(dense), reconcile.At(dense+1), 100_000)
			must(b, uint64(len(items)), 5000, err)
		}
	})
}

// BenchmarkOpen opens a store of a million events, closed in order or copied while
// it ran, and tells the heap that it has taken then.
func BenchmarkOpen(b *testing.B) {
	s := benchStore(b)
	a := newAuthor(1)
	for range 1_000_000 / 256 {
		mustAppend(b, s, a.seal(b, room, texts(256, 256)...))
	}
	killed, closed := filepath.Join(b.TempDir(), "killed"), s.dir
	if err := os.CopyFS(killed, os.DirFS(s.dir)); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for name, from := range map[string]string{"closed": closed, "killed": killed} {
		b.Run(name, func(b *testing.B) {
			var heap uint64
			for range b.N {
				b.StopTimer()
				dir := filepath.Join(b.TempDir(), "store")
				if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
					b.Fatal(err)
				}
				before := heapMB()
				b.StartTimer()
				s, err := Open(b.Context(), Options{Dir: dir, Key: testKey})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				heap = heapMB() - before
				if err := errors.Join(s.Close(), os.RemoveAll(dir)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(heap), "MB-heap")
		})
	}
}
