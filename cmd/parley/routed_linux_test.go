package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/netns"
)

// Three machines in three segments, which no multicast crosses. Two know the
// first, by an address somebody pasted, and are in a room that it is not in:
// they find each other, and do without it when it is killed. A zone is what a
// machine says.
func TestRoutedMachinesFindEachOtherFromOneAddress(t *testing.T) {
	lab := netns.New(t)
	a, b, c := newMachine(t, lab.Far("ada")), newMachine(t, lab.Far("bob")), newMachine(t, lab.Far("eve"))
	a.run("--name", "ada", "--zone", "ward 3")
	b.run("--name", "bob", "--peer", a.addr, "--join", "lobby")
	c.run("--name", "eve", "--peer", a.addr, "--join", "lobby")
	t.Logf("they met after %v", b.meets(a, c))
	c.meets(a, b)
	b.until("it knows the first one's zone", func() bool {
		return slices.ContainsFunc(jsonLines[peerRow](b, "peers"), func(p peerRow) bool { return p.PeerID == a.id && p.Zone == "ward 3" })
	})
	for _, m := range []*machine{a, b, c} {
		if n := jsonLines[statusRow](m, "status")[0].Discovery.Heard; n > 0 {
			t.Errorf("multicast crossed the router: %d heard", n)
		}
	}
	heard := c.tail("lobby")
	c.hears(heard, b.send("lobby", "before"))
	a.node.Kill()
	b.meets(c)
	id := b.send("lobby", "after")
	c.hears(heard, id)
	told := strings.TrimSpace(c.parley("send", "@"+b.id, "alone"))
	b.until("a direct message arrives", func() bool {
		return strings.Contains(b.parley("history", "@"+c.id, "--json"), told)
	})
	sameHistory(t, "lobby", 2, b, c)
}
