package main

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/netns"
)

// Two machines that know nothing of each other are switched on; what is said at
// one at once is shown at the other soon. The promise is a second and a half,
// from the start of both programs; a loaded machine has three times that.
func TestLANFirstMessageOfFreshNodes(t *testing.T) {
	const within = 4500 * time.Millisecond
	lab := netns.New(t)
	for _, head := range []time.Duration{0, 30 * time.Millisecond} { // who is heard first decides who dials
		a, b := newMachine(t, lab.Host("a"+head.String())), newMachine(t, lab.Host("b"+head.String()))
		began := time.Now()
		for _, m := range []*machine{a, b} {
			m.node = m.host.Start("parley", "run", "--dir", m.dir, "--join", "lobby")
			if m == a {
				<-time.After(head)
			}
		}
		isReady := func(s string) bool { return strings.HasPrefix(s, "ready ") }
		a.node.WaitLine(startWithin, isReady)
		id := a.send("lobby", "hello")
		b.node.WaitLine(startWithin, isReady)
		b.hears(b.tail("lobby"), id)
		took := time.Since(began)
		t.Logf("%v after both were started (promised: 1.5 s)", took.Round(time.Millisecond))
		if took > within {
			t.Errorf("the first message was shown after %v", took)
		}
		a.node.Kill()
		b.node.Kill()
	}
}
