package guard

import (
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkRefuse is what a flood costs: guesses that are refused, from one
// address and from 65,536, by a budget and by a lock, from one goroutine and
// from all. A registrar has to stand a million a second.
func BenchmarkRefuse(b *testing.B) {
	one := func(int) Attempt { return from("192.0.2.1", "a peer ID of thirty-eight bytes, ....") }
	many := func(i int) Attempt {
		return Attempt{Addr: scattered(i & 0xffff), Peer: "a peer ID of thirty-eight bytes, ...."}
	}
	site := func(i int) Attempt {
		return Attempt{Addr: site48(i & 0xffff), Peer: "a peer ID of thirty-eight bytes, ...."}
	}
	slowly := Rate{1e-3, 1}
	for _, c := range []struct {
		name   string
		cfg    Config
		who    func(int) Attempt
		locked bool
	}{
		{"address", Config{Address: slowly}, one, false},
		{"network", Config{Network: slowly}, site, false},
		{"strangers", Config{Strangers: slowly}, many, false},
		{"locked", Config{Address: Rate{1e6, 1e6}}, one, true},
		{"member", Config{Peer: slowly}, func(int) Attempt { return member("192.0.2.1", "a") }, false},
	} {
		g := New(c.cfg, start)
		now := start
		if c.locked {
			now = fail(g, start, c.who(0), 30)
		}
		for g.Allow(now, c.who(0)).OK() && !c.locked {
			continue
		}
		b.Run(c.name, func(b *testing.B) { refuse(b, g, now, c.who) })
		b.Run(c.name+"/parallel", func(b *testing.B) { refuseParallel(b, g, now, c.who) })
	}
}

func refuse(b *testing.B, g *Guard, now time.Time, who func(int) Attempt) {
	b.ReportAllocs()
	a := make([]Attempt, 1<<16)
	for i := range a {
		a[i] = who(i)
	}
	allowed, i := 0, 0
	for b.Loop() {
		if g.Allow(now, a[i&0xffff]).OK() {
			allowed++
		}
		i++
	}
	if allowed > 0 {
		b.Errorf("%d were allowed", allowed)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refused/s")
}

func refuseParallel(b *testing.B, g *Guard, now time.Time, who func(int) Attempt) {
	b.ReportAllocs()
	a := make([]Attempt, 1<<16)
	for i := range a {
		a[i] = who(i)
	}
	var allowed, next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(1) << 12)
		for pb.Next() {
			if g.Allow(now, a[i&0xffff]).OK() {
				allowed.Add(1)
			}
			i++
		}
	})
	if n := allowed.Load(); n > 0 {
		b.Errorf("%d were allowed", n)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refused/s")
}
