package reconcile_test

import (
	"fmt"
	"sort"
	"testing"

	"github.com/parley-chat/parley/internal/reconcile"
)

// prefixed is a Slice that knows the sums up to every 64th item, as a store has
// them in buckets.
type prefixed struct {
	reconcile.Slice
	sums []reconcile.Sum
}

const stride = 64

func newPrefixed(items reconcile.Slice) *prefixed {
	p := &prefixed{Slice: items, sums: make([]reconcile.Sum, len(items)/stride+1)}
	for b := range p.sums[:len(p.sums)-1] {
		p.sums[b+1] = p.sums[b]
		for i := range items[b*stride : (b+1)*stride] {
			p.sums[b+1].Add(&items[b*stride+i].ID)
		}
	}
	return p
}

func (p *prefixed) upTo(b reconcile.Bound) reconcile.Sum {
	at := sort.Search(len(p.Slice), func(i int) bool { return !b.Includes(&p.Slice[i]) })
	s := p.sums[at/stride]
	for i := at / stride * stride; i < at; i++ {
		s.Add(&p.Slice[i].ID)
	}
	return s
}

func (p *prefixed) Sum(from, to reconcile.Bound) (reconcile.Sum, error) {
	low, high := p.upTo(from), p.upTo(to)
	high.Count -= low.Count
	var borrow uint64
	for i := range high.IDs {
		d := high.IDs[i] - low.IDs[i]
		b := d - borrow
		if high.IDs[i] < low.IDs[i] || d < borrow {
			borrow = 1
		} else {
			borrow = 0
		}
		high.IDs[i] = b
	}
	return high, nil
}

// BenchmarkSync compares a million items: with 100 missing all over, 5,000
// missing at the end, and for a newcomer who has nothing. B/sync are the bytes
// of both directions.
func BenchmarkSync(b *testing.B) {
	const n = 1_000_000
	all := reconcile.NewSlice(numbered(0, n))
	scattered := make(reconcile.Slice, 0, n)
	for i := range all {
		if i%(n/100) != n/200 {
			scattered = append(scattered, all[i])
		}
	}
	peer := newPrefixed(all)
	for _, c := range []struct {
		name string
		own  reconcile.Set
		need int
	}{
		{"equal", peer, 0},
		{"100 scattered", newPrefixed(scattered), 100},
		{"5000 at the end", newPrefixed(all[:n-5000]), 5000},
		{"newcomer", newPrefixed(nil), n},
	} {
		b.Run(fmt.Sprintf("%s of %d", c.name, n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := meet(b, c.own, peer, reconcile.At(0), base+n/3, n, 32<<10, 128<<10)
				if len(s.need) != c.need {
					b.Fatal(len(s.need))
				}
				b.ReportMetric(float64(s.sent+s.got), "B/sync")
				b.ReportMetric(float64(s.rounds), "rounds")
				b.ReportMetric(float64(s.work.Ranges), "ranges")
				b.ReportMetric(float64(s.work.Ranges), "questions")
			}
		})
	}
}
