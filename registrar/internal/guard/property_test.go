package guard

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// slowBucket is a token bucket as one would explain it.
type slowBucket struct {
	tokens float64
	last   time.Duration
}

func (b *slowBucket) fill(r Rate, at time.Duration) {
	b.tokens = min(float64(r.Burst), b.tokens+r.PerSecond*(at-b.last).Seconds())
	b.last = at
}

// slow is the guard's rule for budgets with memory for all.
type slow struct {
	cfg     Config
	buckets map[string]*slowBucket
}

func (s *slow) bucket(key string, r Rate, at time.Duration) *slowBucket {
	b := s.buckets[key]
	if b == nil {
		b = &slowBucket{tokens: float64(r.Burst), last: at}
		s.buckets[key] = b
	}
	b.fill(r, at)
	return b
}

func (s *slow) allow(a Attempt, at time.Duration) bool {
	bits := [2]int{32, 24}
	if a.Addr.Is6() {
		bits = [2]int{64, 48}
	}
	near, _ := a.Addr.Prefix(bits[0])
	far, _ := a.Addr.Prefix(bits[1])
	need := []*slowBucket{
		s.bucket("address "+near.String(), s.cfg.Address, at),
		s.bucket("network "+far.String(), s.cfg.Network, at),
		s.bucket("all", s.cfg.Strangers, at),
	}
	if a.Admitted {
		need = []*slowBucket{s.bucket("peer "+a.Peer, s.cfg.Peer, at)}
	}
	for _, b := range need {
		if b.tokens < 1-1e-9 {
			return false
		}
	}
	for _, b := range need {
		b.tokens--
	}
	return true
}

var (
	somePeers = []string{"a", "b", "c"}
	someAddrs = []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("198.51.100.1"),
		netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:0:1::1"),
	}
)

func drawAttempt(t *rapid.T) Attempt {
	return Attempt{
		Addr:     rapid.SampledFrom(someAddrs).Draw(t, "addr"),
		Peer:     rapid.SampledFrom(somePeers).Draw(t, "peer"),
		Admitted: rapid.Bool().Draw(t, "admitted"),
	}
}

// With room for all, the guard allows what a plain token bucket does.
func TestBudgetsAreTokenBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := func(name string) Rate {
			return Rate{float64(rapid.SampledFrom([]int{1, 2, 5, 10}).Draw(t, name)), rapid.IntRange(1, 6).Draw(t, name+" burst")}
		}
		cfg := Config{Address: rate("address"), Network: rate("network"), Strangers: rate("strangers"), Peer: rate("peer"), Entries: 1 << 10}
		g, s := New(cfg, start), &slow{cfg, map[string]*slowBucket{}}
		at := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			at += time.Duration(rapid.IntRange(0, 40).Draw(t, "pause")) * 10 * time.Millisecond
			a := drawAttempt(t)
			v, want := g.Allow(after(at), a), s.allow(a, at)
			if v.OK() != want {
				t.Fatalf("%v at %v: %+v, want allowed %t", a, at, v, want)
			}
			if !v.OK() && v.RetryAfter <= 0 {
				t.Fatalf("refused, and told to try again after %v", v.RetryAfter)
			}
		}
	})
}

// Whatever fails, and however small the tables are: nobody waits longer than
// the longest lock, members never, and who waits as long as he was told may
// try again.
func TestLockOutsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := wide
		cfg.Entries = rapid.SampledFrom([]int{1, 64}).Draw(t, "entries")
		cfg.PeerFailures, cfg.AddressFailures = rapid.IntRange(1, 3).Draw(t, "peer failures"), rapid.IntRange(1, 6).Draw(t, "address failures")
		g := New(cfg, start)
		at := time.Duration(0)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			at += time.Duration(rapid.IntRange(0, 100).Draw(t, "pause")) * time.Second
			a := drawAttempt(t)
			v := g.Allow(after(at), a)
			if a.Admitted && v.Outcome == Locked || v.RetryAfter > 15*time.Minute {
				t.Fatalf("%v: %+v", a, v)
			}
			if rapid.Bool().Draw(t, "wait") {
				at += v.RetryAfter
				if v := g.Allow(after(at), a); !v.OK() {
					t.Fatalf("%v when it was told to try again: %+v", a, v)
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "outcome") == 0 {
				g.Succeeded(after(at), a)
			} else {
				g.Failed(after(at), a)
			}
		}
	})
}
