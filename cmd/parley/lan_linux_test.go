package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/netns"
	"github.com/parley-chat/parley/node"
)

// Three fresh machines find each other by multicast alone and talk.
func TestLANThreeMachinesTalk(t *testing.T) {
	lab := netns.New(t)
	var all []*machine
	for _, nick := range []string{"ada", "bob", "eve"} {
		m := newMachine(t, lab.Host(nick))
		m.run("--name", nick, "--join", "lobby")
		all = append(all, m)
	}
	for i, m := range all {
		others := slices.Delete(slices.Clone(all), i, i+1)
		t.Logf("machine %d met the others after %v", i, m.meets(others...))
	}
	var tails []*netns.Proc
	for _, m := range all {
		tails = append(tails, m.tail("lobby"))
	}
	for i, m := range all {
		id := m.send("lobby", "machine "+strconv.Itoa(i)+" says hello")
		for j, other := range all {
			other.hears(tails[j], id)
		}
	}
	sameHistory(t, "lobby", 3, all...)
	for _, m := range all {
		m.until("three members are online with their nicks", func() bool {
			var nicks []string
			for _, member := range jsonLines[struct {
				Nick   string
				Online bool
			}](m, "members", "lobby") {
				if member.Online {
					nicks = append(nicks, member.Nick)
				}
			}
			slices.Sort(nicks)
			return slices.Equal(nicks, []string{"ada", "bob", "eve"})
		})
	}
	for _, m := range all {
		if err := m.node.Stop(3 * time.Second); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
	}
}

// sameHistory checks that all machines have the same want messages, byte for byte.
func sameHistory(t *testing.T, room string, want int, all ...*machine) {
	t.Helper()
	var first string
	for i, m := range all {
		got := m.parley("history", room, "--json", "--canonical", "--limit", "0")
		if i == 0 {
			first = got
		}
		if n := strings.Count(got, "\n"); n != want {
			t.Errorf("machine %d has %d messages, want %d:\n%s", i, n, want, got)
		}
		if got != first {
			t.Errorf("machines 0 and %d differ:\n%s\n%s", i, first, got)
		}
	}
}

// Networks on one bridge never mix: another name, another secret under the same name, a forged
// invite with a wrong secret into the very network, each told the address of a member.
func TestLANNetworksDoNotMix(t *testing.T) {
	lab := netns.New(t)
	host := func(name string) *machine { return newMachine(t, lab.Host(name)) }

	founder, member := host("founder"), host("member")
	invite := strings.Fields(founder.parley("network", "new", "ours"))
	at := slices.IndexFunc(invite, func(s string) bool { return strings.HasPrefix(s, "PARLEY:") })
	if at < 0 {
		t.Fatalf("network new printed no invite: %q", invite)
	}
	founder.run("--join", "lobby")
	member.run("--join", "lobby", "--invite-file", write(t, invite[at]))
	founder.meets(member)

	liar, open, openToo, adHoc := host("liar"), host("open"), host("open2"), host("adhoc")
	liar.run("--join", "lobby", "--peer", founder.addr, "--invite-file", write(t, wrongSecret(t, invite[at])))
	open.run("--join", "lobby", "--peer", founder.addr)
	openToo.run("--join", "lobby", "--peer", member.addr, "--peer", liar.addr)
	adHoc.run("--join", "lobby", "--peer", founder.addr, "--network", "ours", "--secret-file", write(t, randomHex(t)))
	strangers := []*machine{liar, open, openToo, adHoc}

	for _, m := range strangers {
		took := m.until("its handshake with a member was tried and refused", func() bool { return refused(m) > 0 })
		t.Logf("refused after %v: %v", took, m.hello())
	}
	open.meets(openToo)
	founder.until("the wrong secret was noticed", func() bool { return founder.hello()["proof"] > 0 })

	tails := make([]*netns.Proc, len(strangers))
	for i, m := range strangers {
		tails[i] = m.tail("lobby")
	}
	memberTail, secret := member.tail("lobby"), "what only members hear"
	member.hears(memberTail, founder.send("lobby", secret))
	// Each stranger hears itself afterwards, so that its tail had its time.
	for i, m := range strangers {
		m.hears(tails[i], m.send("lobby", "stranger "+strconv.Itoa(i)))
		if slices.ContainsFunc(tails[i].Lines(), func(s string) bool { return strings.Contains(s, secret) }) {
			t.Errorf("stranger %d heard what was said in the network", i)
		}
	}
	founder.meets(member)
	member.meets(founder)
	liar.meets()
	adHoc.meets()
	open.meets(openToo)
	sameHistory(t, "lobby", 1, founder, member)
}

// refused counts the handshakes that did not end in an admission.
func refused(m *machine) (n uint64) {
	for result, count := range m.hello() {
		if result != "admitted" {
			n += count
		}
	}
	return n
}

// write puts text into a file of its own, as private as a secret has to be.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// wrongSecret is the invite of someone who knows everything about the network but its secret.
func wrongSecret(t *testing.T, text string) string {
	t.Helper()
	invite, err := node.ParseInvite(text)
	if err != nil {
		t.Fatal(err)
	}
	invite.Secret[0] ^= 1
	return invite.String()
}

func randomHex(t *testing.T) string {
	t.Helper()
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// A node that started with nothing but loopback is on the LAN soon after its interface is there.
func TestLANInterfaceComesLate(t *testing.T) {
	lab := netns.New(t)
	early, late := newMachine(t, lab.Host("early")), newMachine(t, lab.Offline("late"))
	early.run("--join", "lobby")
	late.run("--join", "lobby")
	tail := early.tail("lobby")
	late.host.Attach()
	t.Logf("met %v after the interface came (promised: 5 s)", late.meets(early))
	early.meets(late)
	early.hears(tail, late.send("lobby", "here I am"))

	late.host.Down()
	early.until("a dead link is noticed", func() bool { return len(early.peers()) == 0 })
	late.host.Up()
	t.Logf("met %v after the interface was up again (promised: 5 s)", late.meets(early))
	early.hears(tail, late.send("lobby", "here I am again"))
}

// A node whose address changes goes on talking, both ways. Whether QUIC carries the connection over
// or a new one takes its place is left to them.
func TestLANAddressChanges(t *testing.T) {
	lab := netns.New(t)
	a, b := newMachine(t, lab.Host("a")), newMachine(t, lab.Host("b"))
	a.run("--join", "lobby")
	b.run("--join", "lobby")
	a.meets(b)
	b.meets(a)
	aHears, bHears := a.tail("lobby"), b.tail("lobby")
	for range 2 {
		b.host.Renumber()
		begin := time.Now()
		a.hears(aHears, b.send("lobby", "I have moved"))
		b.hears(bHears, a.send("lobby", "I have seen it"))
		t.Logf("talking again %v after the address changed (promised: 5 s)", time.Since(begin).Round(time.Millisecond))
	}
	a.meets(b)
}

// What was acknowledged survives kill -9, and the node is back among its peers by itself.
func TestLANKilledNodeLosesNothing(t *testing.T) {
	const count = 500
	lab := netns.New(t)
	a, b := newMachine(t, lab.Host("a")), newMachine(t, lab.Host("b"))
	a.run("--join", "lobby")
	b.run("--join", "lobby")
	a.meets(b)
	id := a.id
	var input bytes.Buffer
	for i := range count {
		input.WriteString("message " + strconv.Itoa(i) + "\n")
	}
	cmd := a.host.Command("parley", "send", "lobby", "-", "--dir", a.dir)
	cmd.Stdin = &input
	sender := a.host.StartCommand(cmd)
	lines := 0
	sender.WaitLine(followTime, func(string) bool { lines++; return lines == count/2 })
	a.node.Kill()
	<-sender.Done()
	acknowledged := sender.Lines()
	t.Logf("%d of %d messages were acknowledged before the kill", len(acknowledged), count)

	a.run()
	if a.id != id {
		t.Errorf("the killed node came back as %s, was %s", a.id, id)
	}
	mine := a.parley("history", "lobby", "--json", "--limit", "0")
	for _, id := range acknowledged {
		if !strings.Contains(mine, id) {
			t.Fatalf("%s was acknowledged and is lost", id)
		}
	}
	a.meets(b)
	b.hears(b.tail("lobby"), a.send("lobby", "I am back"))
	b.until("what was acknowledged reaches the other", func() bool {
		theirs := b.parley("history", "lobby", "--json", "--limit", "0")
		return !slices.ContainsFunc(acknowledged, func(id string) bool { return !strings.Contains(theirs, id) })
	})
}
