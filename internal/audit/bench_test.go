package audit

import (
	"context"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// BenchmarkAppend is one record after the other, each waiting for the disk.
func BenchmarkAppend(b *testing.B) {
	c := small(b)
	c.SegmentSize = 0
	l := open(b, b.TempDir(), c)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := l.Append(context.Background(), login(n)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend64 is 64 callers at once, who share syncs.
func BenchmarkAppend64(b *testing.B) {
	c := small(b)
	c.SegmentSize = 0
	l := open(b, b.TempDir(), c)
	b.ReportAllocs()
	b.SetParallelism(32) // times two processors
	b.RunParallel(func(p *testing.PB) {
		for n := 0; p.Next(); n++ {
			if _, err := l.Append(context.Background(), login(n)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkWrite is one caller who does not wait.
func BenchmarkWrite(b *testing.B) {
	c := small(b)
	c.SegmentSize = 0
	l := open(b, b.TempDir(), c)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if err := l.Write(context.Background(), login(n)); err != nil {
			b.Fatal(err)
		}
	}
}

// large is a log of 100,000 records.
func large(b *testing.B) (dir string, trusted []peer.ID) {
	c := small(b)
	c.SegmentSize = 8 << 20
	l := open(b, b.TempDir(), c)
	for n := range 100_000 {
		if err := l.Write(context.Background(), login(n)); err != nil {
			b.Fatal(err)
		}
	}
	closed(b, l)
	_, id := registrar(b, 1)
	return l.dir, []peer.ID{id}
}

// BenchmarkVerify reads and checks 100,000 records.
func BenchmarkVerify(b *testing.B) {
	dir, trusted := large(b)
	for b.Loop() {
		if rep, err := Verify(context.Background(), dir, Options{Trusted: trusted}); err != nil || rep.Records != 100_000 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkProve finds and proves one of 100,000 records.
func BenchmarkProve(b *testing.B) {
	dir, _ := large(b)
	for n := int64(0); b.Loop(); n = (n + 7919) % 100_000 {
		if _, err := Prove(dir, n); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a log of 100,000 records.
func BenchmarkOpen(b *testing.B) {
	dir, _ := large(b)
	c := small(b)
	for b.Loop() {
		closed(b, open(b, dir, c))
	}
}
