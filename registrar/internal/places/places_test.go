package places

import (
	"net/netip"
	"testing"
)

func TestPlacesAreBoundedInAllAndEach(t *testing.T) {
	p := New[string](3, 2)
	leave, ok := p.Enter("a")
	if !ok {
		t.Fatal("no first place")
	}
	for _, step := range []struct {
		who  string
		want bool
	}{{"a", true}, {"a", false}, {"b", true}, {"c", false}} {
		if _, ok := p.Enter(step.who); ok != step.want {
			t.Errorf("%s: %v", step.who, ok)
		}
	}
	leave()
	leave() // gives back nothing more
	if _, ok := p.Enter("c"); !ok {
		t.Error("the place that was given back is not there")
	}
	if _, ok := p.Enter("d"); ok {
		t.Error("a place was given back twice")
	}
}

func TestWhoLeftCostsNothing(t *testing.T) {
	p := New[int](10, 1)
	for i := range 1000 {
		leave, ok := p.Enter(i)
		if !ok {
			t.Fatal("full")
		}
		leave()
	}
	if len(p.of) != 0 || p.taken != 0 {
		t.Errorf("%d remembered, %d taken", len(p.of), p.taken)
	}
}

func TestOneMachineIsOneSite(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"::ffff:192.0.2.7":     "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"fe80::1%eth0":         "fe80::",
	} {
		if got := Site(netip.MustParseAddr(text)); got != netip.MustParseAddr(want) {
			t.Errorf("%s is of %s", text, got)
		}
	}
	if got := Site(netip.Addr{}); got.IsValid() {
		t.Errorf("none is %s", got)
	}
}
