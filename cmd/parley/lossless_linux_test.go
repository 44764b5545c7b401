package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/netns"
)

// spoken are the texts of a chat as a machine has them, oldest first.
func (m *machine) spoken(chat string) (texts []string) {
	m.t.Helper()
	for _, msg := range jsonLines[struct{ Text string }](m, "history", chat, "--limit", "0") {
		texts = append(texts, msg.Text)
	}
	return texts
}

// lines are n messages of one sender for parley send -.
func lines(who string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s %d", who, i))
	}
	return all
}

// sendLines sends texts through one parley send -, which the test may kill the node under.
func (m *machine) sendLines(chat string, texts []string) *netns.Proc {
	m.t.Helper()
	cmd := m.host.Command("parley", "send", chat, "-", "--dir", m.dir)
	cmd.Stdin = bytes.NewBufferString(strings.Join(texts, "\n") + "\n")
	return m.host.StartCommand(cmd)
}

// has waits until the machine's history of a chat has all these texts, each once, those of one
// sender in their order.
func (m *machine) has(chat string, bySender ...[]string) {
	m.t.Helper()
	m.until(chat+" is whole", func() bool {
		got := m.spoken(chat)
		for _, want := range bySender {
			own := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !slices.Contains(want, s) })
			if !slices.Equal(own, want) {
				return false
			}
		}
		return true
	})
}

// Four machines: one comes late, one is killed in the middle of sending, one is cut off for a while.
func TestLANFourMachinesLoseNothing(t *testing.T) {
	const count = 300
	lab := netns.New(t)
	var all []*machine
	for _, name := range []string{"ada", "bob", "eve", "late"} {
		all = append(all, newMachine(t, lab.Host(name)))
	}
	ada, bob, eve, late := all[0], all[1], all[2], all[3]
	for _, m := range all[:3] {
		m.run("--join", "lobby")
	}
	ada.meets(bob, eve)
	bob.meets(ada, eve)

	eve.host.Unplug()
	ada.until("eve is gone", func() bool { return len(ada.peers()) == 1 })
	apart := ada.sendLines("lobby", lines("ada", count))
	alone := eve.sendLines("lobby", lines("eve", count))
	doomed := bob.sendLines("lobby", lines("bob", count))
	seen := 0
	doomed.WaitLine(followTime, func(string) bool { seen++; return seen == count/3 })
	bob.node.Kill()
	for _, p := range []*netns.Proc{apart, alone, doomed} {
		<-p.Done()
	}
	acknowledged := doomed.Lines()
	late.run("--join", "lobby")
	bob.run()
	eve.host.Plug()

	stored := bob.spoken("lobby") // what was acknowledged, and perhaps a little more that was on its way
	kept := slices.DeleteFunc(stored, func(s string) bool { return !strings.HasPrefix(s, "bob ") })
	if len(kept) < len(acknowledged) {
		t.Fatalf("%d messages were acknowledged before the kill, %d are there", len(acknowledged), len(kept))
	}
	for _, m := range all {
		m.has("lobby", lines("ada", count), lines("eve", count), lines("bob", count)[:len(kept)])
	}
	sameHistory(t, "lobby", 2*count+len(kept), all...)
}

// Direct messages to a machine that is away, and both of them restarted meanwhile.
func TestLANDirectMessagesWaitForTheAbsent(t *testing.T) {
	const count = 200
	lab := netns.New(t)
	ada, bob := newMachine(t, lab.Host("ada")), newMachine(t, lab.Host("bob"))
	ada.run("--name", "ada")
	bob.run("--name", "bob")
	ada.meets(bob)
	bob.host.Unplug()
	ada.until("bob is gone", func() bool { return len(ada.peers()) == 0 })

	first := ada.sendLines("@"+bob.id, lines("ada", count))
	<-first.Done()
	back := bob.sendLines("@"+ada.id, lines("bob", count))
	<-back.Done()
	if got := len(first.Lines()) + len(back.Lines()); got != 2*count {
		t.Fatalf("%d of %d were acknowledged", got, 2*count)
	}
	ada.node.Kill()
	if err := bob.node.Stop(followTime); err != nil {
		t.Error(err)
	}
	ada.run()
	bob.run()
	bob.host.Plug()
	for m, peer := range map[*machine]string{ada: bob.id, bob: ada.id} {
		m.has("@"+peer, lines("ada", count), lines("bob", count))
		if got := len(m.spoken("@" + peer)); got != 2*count {
			t.Errorf("%d messages, want %d", got, 2*count)
		}
	}
	ada.until("all of them are delivered", func() bool {
		for _, msg := range jsonLines[struct{ Author, State string }](ada, "history", "@"+bob.id, "--limit", "0") {
			if msg.Author == ada.id && msg.State != "delivered" {
				return false
			}
		}
		return true
	})
}
