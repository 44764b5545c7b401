package guard

import (
	"testing"
	"time"
)

// fail makes n attempts that fail, each as soon as it is allowed, and returns
// the time of the last.
func fail(g *Guard, now time.Time, a Attempt, n int) time.Time {
	for range n {
		now = now.Add(g.Allow(now, a).RetryAfter)
		g.Failed(now, a)
	}
	return now
}

func TestLockOutDoubles(t *testing.T) {
	g := New(wide, start)
	a := from("192.0.2.1", "mallory")
	now := fail(g, start, a, 4)
	if v := g.Allow(now, a); !v.OK() {
		t.Fatalf("four failures: %+v", v)
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
		g.Failed(now, a)
		v := g.Allow(now, a)
		if v.Outcome != Locked || v.RetryAfter != want*time.Second {
			t.Fatalf("%+v, want locked for %d s", v, want)
		}
		if v := g.Allow(now.Add(v.RetryAfter-1), a); v.Outcome != Locked || v.RetryAfter != 1 {
			t.Fatalf("just before its end: %+v", v)
		}
		now = now.Add(v.RetryAfter)
		if v := g.Allow(now, a); !v.OK() {
			t.Fatalf("at its end: %+v", v)
		}
	}
}

func TestSuccessClears(t *testing.T) {
	g := New(wide, start)
	a := from("192.0.2.1", "alice")
	now := fail(g, start, a, 9)
	now = now.Add(g.Allow(now, a).RetryAfter)
	g.Succeeded(now, a)
	if v := g.Allow(fail(g, now, a, 4), a); !v.OK() {
		t.Errorf("four failures after a success: %+v", v)
	}
}

func TestTimeForgets(t *testing.T) {
	g := New(wide, start)
	a := from("192.0.2.1", "alice")
	now := fail(g, start, a, 30)
	g.Failed(now.Add(time.Hour-1), a) // an hour is counted from the last
	if v := g.Allow(now.Add(time.Hour), a); v.RetryAfter < 14*time.Minute {
		t.Errorf("within the hour: %+v", v)
	}
	if v := g.Allow(fail(g, now.Add(2*time.Hour), a, 4), a); !v.OK() {
		t.Errorf("four failures after an hour: %+v", v)
	}
}

// An address is locked whatever peers it names, later than one peer is.
func TestRotatingPeersIsNoWayOut(t *testing.T) {
	g := New(wide, start)
	now, guesses := start, 0
	for end := after(time.Hour); now.Before(end); guesses++ {
		a := from("192.0.2.1", string(rune('a'+guesses)))
		v := g.Allow(now, a)
		if now = now.Add(v.RetryAfter); v.OK() {
			g.Failed(now, a)
		}
	}
	if guesses > 60 { // 20, ten while the lock doubles, three of 15 minutes, each with its refusal
		t.Errorf("%d attempts in an hour from one address", guesses)
	}
	if v := g.Allow(now, from("192.0.2.2", "honest")); !v.OK() {
		t.Errorf("the neighbour: %+v", v)
	}
}

// Failing in another's name from elsewhere locks nobody out but oneself.
func TestNobodyIsLockedOutByHisName(t *testing.T) {
	g := New(wide, start)
	fail(g, start, from("203.0.113.7", "alice"), 50)
	if v := g.Allow(start, from("192.0.2.1", "alice")); !v.OK() {
		t.Errorf("alice at home: %+v", v)
	}
	if v := g.Allow(start, from("203.0.113.8", "alice")); !v.OK() {
		t.Errorf("alice next door to the attacker: %+v", v)
	}
}

// One wrong peer behind an address that many share does not lock it: it is
// locked itself, before the address is, and those who succeed keep it open.
func TestOneAtASharedAddressLocksItself(t *testing.T) {
	g := New(wide, start)
	bad, now := from("192.0.2.1", "bad"), start
	for i := range 200 {
		if g.Allow(now, bad).OK() {
			g.Failed(now, bad)
		}
		good := from("192.0.2.1", string(rune('A'+i)))
		if v := g.Allow(now, good); !v.OK() {
			t.Fatalf("honest peer %d: %+v", i, v)
		}
		g.Succeeded(now, good)
		now = now.Add(time.Second)
	}
	if v := g.Allow(now, bad); v.Outcome != Locked || v.RetryAfter < 30*time.Second {
		t.Errorf("the one that fails: %+v", v)
	}
}

func TestMembersAreNeverLockedOut(t *testing.T) {
	g := New(wide, start)
	m := member("192.0.2.1", "alice")
	now := fail(g, start, from("192.0.2.1", "alice"), 50) // a stranger in her name, at her address
	for range 50 {
		g.Failed(now, m)
	}
	if v := g.Allow(now, m); !v.OK() {
		t.Errorf("%+v", v)
	}
	g.Succeeded(now, m) // and that is none of the stranger's
	if v := g.Allow(now, from("192.0.2.1", "alice")); v.Outcome != Locked {
		t.Errorf("the stranger: %+v", v)
	}
}
