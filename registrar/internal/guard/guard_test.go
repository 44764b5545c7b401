package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// start is the time at which the guards of the tests are made.
var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

func from(addr, peer string) Attempt { return Attempt{Addr: netip.MustParseAddr(addr), Peer: peer} }

func member(addr, peer string) Attempt {
	a := from(addr, peer)
	a.Admitted = true
	return a
}

// wide are budgets that no test uses up, for tests of lock-outs.
var wide = Config{Address: Rate{1e6, 1e6}, Network: Rate{1e6, 1e6}, Strangers: Rate{1e6, 1e6}}

// use makes n attempts at one time and returns how many were allowed.
func use(g *Guard, now time.Time, a Attempt, n int) (allowed int) {
	for range n {
		if g.Allow(now, a).OK() {
			allowed++
		}
	}
	return allowed
}

func TestBudgets(t *testing.T) {
	cfg := Config{Address: Rate{1, 3}, Network: Rate{2, 5}, Strangers: Rate{4, 7}, Peer: Rate{1, 2}, Entries: 64}
	for _, c := range []struct {
		name string
		then []Attempt // each tried until it is refused
		want []int
	}{
		{"an address", []Attempt{from("192.0.2.1", "a"), from("192.0.2.1", "b")}, []int{3, 0}},
		{"its network", []Attempt{from("192.0.2.1", ""), from("192.0.2.2", ""), from("192.0.2.3", "")}, []int{3, 2, 0}},
		{"all strangers", []Attempt{
			from("192.0.2.1", ""), from("198.51.100.1", ""), from("203.0.113.1", ""), from("203.0.113.2", ""),
		}, []int{3, 3, 1, 0}},
		{"a /64", []Attempt{from("2001:db8::1", ""), from("2001:db8::2:1", "")}, []int{3, 0}},
		{"a /48", []Attempt{from("2001:db8::1", ""), from("2001:db8:0:1::1", ""), from("2001:db8:1::1", "")}, []int{3, 2, 2}},
		{"IPv4 in IPv6 form", []Attempt{from("192.0.2.1", ""), from("::ffff:192.0.2.1", "")}, []int{3, 0}},
		{"a zone", []Attempt{from("fe80::1%eth0", ""), from("fe80::1%eth1", "")}, []int{3, 0}},
		{"no address", []Attempt{{Peer: "a"}, {Peer: "b"}}, []int{3, 0}},
		{"IPv4 and IPv6 of the same bytes", []Attempt{from("32.1.13.184", ""), from("2001:db8::", "")}, []int{3, 3}},
		{"members", []Attempt{member("192.0.2.1", "a"), member("192.0.2.1", "b"), from("192.0.2.1", "a")}, []int{2, 2, 3}},
	} {
		g := New(cfg, start)
		for i, a := range c.then {
			if got := use(g, start, a, 20); got != c.want[i] {
				t.Errorf("%s: %v was allowed %d times, want %d", c.name, a, got, c.want[i])
			}
		}
	}
}

// What is refused takes nothing, from any of the three.
func TestRefusalCostsNothing(t *testing.T) {
	cfg := Config{Address: Rate{1, 1}, Network: Rate{1, 2}, Strangers: Rate{1, 3}, Entries: 64}
	g := New(cfg, start)
	use(g, start, from("192.0.2.1", ""), 1000) // one is allowed
	if got := use(g, start, from("192.0.2.2", ""), 1000); got != 1 {
		t.Errorf("the network had %d left, want 1", got)
	}
	use(g, start, from("192.0.2.3", ""), 1000) // the network has none
	if got := use(g, start, from("198.51.100.1", ""), 10); got != 1 {
		t.Errorf("all had %d left, want 1", got)
	}
	// Those that were refused by the others have a full bucket of their own.
	if got := use(g, after(10*time.Second), from("192.0.2.3", ""), 1); got != 1 {
		t.Error("an address paid for what it did not get")
	}
}

func TestBudgetsFillAgain(t *testing.T) {
	g := New(Config{Address: Rate{2, 4}}, start)
	a := from("192.0.2.1", "")
	use(g, start, a, 4)
	v := g.Allow(start, a)
	if v.Outcome != Busy || v.RetryAfter != time.Second/2 || !errors.Is(v.Err(), ErrBusy) {
		t.Errorf("used up: %+v", v)
	}
	if v := g.Allow(after(v.RetryAfter-1), a); v.OK() {
		t.Error("allowed before the time that was told")
	}
	if v := g.Allow(after(v.RetryAfter), a); !v.OK() || v.Err() != nil {
		t.Errorf("at the time that was told: %+v", v)
	}
	if got := use(g, after(time.Hour), a, 10); got != 4 {
		t.Errorf("after an hour it held %d, want 4", got)
	}
}

// Clocks without a monotonic part are set back, and callers come slightly out
// of order: nobody waits longer for it than for an empty bucket.
func TestClockSetBack(t *testing.T) {
	g := New(Config{Address: Rate{1, 2}, PeerFailures: 1}, start)
	a := from("192.0.2.1", "a")
	ahead := after(1000 * time.Hour)
	use(g, ahead, a, 5)
	g.Failed(ahead, a)
	if v := g.Allow(ahead, a); v.Outcome != Locked {
		t.Fatalf("%+v", v)
	}
	at := time.Minute // a wait for each of the three buckets at most
	for v := g.Allow(after(at), a); !v.OK(); v = g.Allow(after(at), a) {
		at += v.RetryAfter
		if v.Outcome != Busy || at > time.Minute+3*time.Second {
			t.Fatalf("set back, after %v: %+v", at-time.Minute, v)
		}
	}
	if v := New(Config{}, start).Allow(start.Add(-time.Hour), a); !v.OK() {
		t.Errorf("before the start: %+v", v)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	for o, want := range map[Outcome]string{OK: "ok", Busy: "busy", Locked: "locked"} {
		if got := fmt.Sprint(o); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := (Verdict{Outcome: Locked}).Err(); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
}

// Loopback has a budget of its own, if it is given one, which takes nothing of
// others'; who fails there is locked out as anywhere.
func TestLoopback(t *testing.T) {
	cfg := Config{Address: Rate{1, 3}, Network: Rate{2, 5}, Strangers: Rate{4, 7}, Local: Rate{1, 50}, Entries: 64}
	g := New(cfg, start)
	for _, addr := range []string{"127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.3"} {
		if got := use(g, start, from(addr, ""), 100); got != 50 {
			t.Errorf("%s: %d, want 50", addr, got)
		}
	}
	if got := use(g, start, from("192.0.2.1", ""), 100); got != 3 {
		t.Errorf("elsewhere: %d, want 3", got)
	}
	for _, addr := range []string{"127.0.0.1", "192.0.2.1"} {
		if v, refuses := g.Refuses(start, netip.MustParseAddr(addr)); !refuses || v.Outcome != Busy {
			t.Errorf("%s is used up: %v", addr, v)
		}
	}
	if _, refuses := g.Refuses(start, netip.MustParseAddr("127.0.0.9")); refuses {
		t.Error("refuses who did nothing")
	}
	for range 20 {
		g.Failed(after(time.Minute), from("127.0.0.1", ""))
	}
	if v, refuses := g.Refuses(after(time.Minute), netip.MustParseAddr("127.0.0.1")); !refuses || v.Outcome != Locked {
		t.Errorf("after 20 failures: %v", v)
	}
	if v := g.Allow(after(time.Minute), from("127.0.0.1", "")); !errors.Is(v.Err(), ErrLocked) {
		t.Errorf("after 20 failures: %v", v.Err())
	}
	cfg.Local = Rate{}
	if got := use(New(cfg, start), start, from("127.0.0.1", ""), 100); got != 3 {
		t.Errorf("without one: %d, want 3", got)
	}
}
