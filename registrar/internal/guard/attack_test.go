package guard

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// site48 is an address in the i-th /64 of 2001:db8::/48.
func site48(i int) netip.Addr {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint16(b[6:], uint16(i))
	binary.BigEndian.PutUint32(b[12:], uint32(i))
	return netip.AddrFrom16(b)
}

// scattered is an address in a /48 of its own.
func scattered(i int) netip.Addr {
	b := [16]byte{0x2a}
	binary.BigEndian.PutUint32(b[2:], uint32(i))
	return netip.AddrFrom16(b)
}

// Somebody owns a whole /48 and uses 100,000 addresses of it for 10 seconds.
func TestAWholeNetworkAttacks(t *testing.T) {
	g := New(Config{Entries: 256}, start)
	honest := 0
	allowed := 0
	const rounds = 100_000
	for i := range rounds {
		now := after(time.Duration(i) * 10 * time.Second / rounds)
		a := Attempt{Addr: site48(i), Peer: "guess"}
		if g.Allow(now, a).OK() {
			allowed++
			g.Failed(now, a)
		}
		if i%1000 == 0 { // ten a second
			if v := g.Allow(now, Attempt{Addr: site48(i), Peer: "member", Admitted: true}); !v.OK() {
				t.Fatalf("the member in the attacked network: %+v", v)
			}
			if g.Allow(now, from("192.0.2.1", "newcomer")).OK() {
				honest++
			}
		}
	}
	if limit := 1500 + 50*10; allowed > limit {
		t.Errorf("%d guesses were allowed, want at most %d", allowed, limit)
	}
	if honest != rounds/1000 {
		t.Errorf("strangers elsewhere were allowed %d times of %d", honest, rounds/1000)
	}
}

// Whatever is forgotten in tables that are far too small, all strangers
// together get no more than their budget.
func TestAllStrangersHaveOneBudget(t *testing.T) {
	g := New(Config{Strangers: Rate{100, 500}, Entries: 8}, start)
	allowed := 0
	for i := range 100_000 {
		now := after(time.Duration(i) * 10 * time.Second / 100_000)
		if g.Allow(now, Attempt{Addr: scattered(i)}).OK() {
			allowed++
		}
	}
	if allowed < 1490 || allowed > 1500 {
		t.Errorf("%d were allowed, want 500 and 100 in each of 10 seconds", allowed)
	}
}

// Whoever was locked stays locked while others fail once each from so many
// addresses that the table is full many times over.
func TestTheMostHarmfulAreRemembered(t *testing.T) {
	cfg := wide
	cfg.Entries = 64
	g := New(cfg, start)
	bad := from("192.0.2.1", "bad")
	now := fail(g, start, bad, 12)
	for i := range 10_000 {
		g.Failed(now, Attempt{Addr: scattered(i)})
	}
	if v := g.Allow(now, bad); v.Outcome != Locked {
		t.Errorf("twelve failures were forgotten for those who failed once: %+v", v)
	}
	if v := g.Allow(now, Attempt{Addr: scattered(1 << 20)}); !v.OK() {
		t.Errorf("a newcomer while the table is full: %+v", v)
	}
}

// Peers, addresses and networks never seen before, ten times what the tables
// hold, take no memory.
func TestMemoryStays(t *testing.T) {
	g := New(Config{Strangers: Rate{1e9, 1e9}, Entries: 1 << 10}, start)
	i := 0
	peers := [2]string{"one", "another"}
	allocated := testing.AllocsPerRun(10_000, func() {
		a := Attempt{Addr: scattered(i), Peer: peers[i%2]}
		g.Allow(start, a)
		g.Failed(start, a)
		g.Allow(start, Attempt{Addr: site48(i), Peer: peers[i%2], Admitted: i%3 == 0})
		g.Succeeded(start, Attempt{Addr: scattered(i / 2), Peer: peers[i%2]})
		i++
	})
	if allocated != 0 {
		t.Errorf("%v allocations a round", allocated)
	}
}

func TestSizeOfTheDefault(t *testing.T) {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := New(Config{}, start)
	runtime.ReadMemStats(&now)
	runtime.KeepAlive(g)
	if size := now.TotalAlloc - before.TotalAlloc; size > 3<<20/2 {
		t.Errorf("a guard takes %d KiB", size>>10)
	}
}

// Many goroutines at one bucket get what it holds, exactly.
func TestConcurrentUse(t *testing.T) {
	g := New(Config{Address: Rate{1, 100}, PeerFailures: 1 << 10}, start)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			a := from("192.0.2.1", "x")
			for range 1000 {
				if g.Allow(start, a).OK() {
					allowed.Add(1)
					g.Failed(start, a)
					g.Succeeded(start, a)
				}
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n != 100 {
		t.Errorf("%d were allowed, want 100", n)
	}
}
