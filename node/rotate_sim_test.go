package node

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testnet"
)

// A secret is replaced while the founder's node runs: nobody is restarted. One
// who has only the old secret and one who joined by the new invite share none,
// and talk through those who have both until the overlap is over.
func TestOldAndNewTalkWhileSecretsOverlap(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, invite := founder(t, net, 0, "Acme")
		old := simNode(t, net, 1, invited(invite), peersOf(a))
		waitAdmitted(t, old, a)

		f, err := RotateNetwork(a.Dir(), time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		joiner := simNode(t, net, 2, invited(f.Invite(nil)), peersOf(a, old))
		waitAdmitted(t, joiner, a)
		waitAdmitted(t, a, old, joiner)
		if h := a.Status().Hello; h["epoch"] != 0 {
			t.Errorf("the founder did not know the new secret at once: %v", h)
		}
		if old.gate.Admitted(joiner.ID()) {
			t.Fatal("they share a secret: the test shows nothing")
		}
		subscribe(t, a, "there")
		subscribe(t, a, "back")
		gossips(t, old, joiner, "there")
		gossips(t, joiner, old, "back")

		if _, err := FinishRotation(a.Dir()); err != nil {
			t.Fatal(err)
		}
		waitGone(t, a, old.ID())
		time.Sleep(time.Minute)
		if a.gate.Admitted(old.ID()) || !a.gate.Admitted(joiner.ID()) {
			t.Error("the old secret is accepted still, or the new one is not")
		}
		// Who begins does not hear why: it is known where the answer fails.
		if a.Status().Hello["epoch"]+old.Status().Hello["epoch"] == 0 {
			t.Errorf("handshakes: %v and %v", a.Status().Hello, old.Status().Hello)
		}
	})
}

// When the overlap is over the founder's node ends it by itself, and members
// learn of it from each other, however long ago they met.
func TestTheOverlapEndsByItself(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, invite := founder(t, net, 0, "Acme")
		b := simNode(t, net, 1, invited(invite), peersOf(a))
		waitAdmitted(t, b, a)
		f, err := RotateNetwork(a.Dir(), time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		if got := b.networkFile().sequence(); got != 2 {
			t.Fatalf("the member's record is number %d", got)
		}
		if err := b.Close(); err != nil { // it takes the new invite, which needs a restart
			t.Fatal(err)
		}
		b = simNode(t, net, 1, func(c *Config) { c.Dir = b.Dir() }, invited(f.Invite(nil)))
		waitAdmitted(t, b, a)
		time.Sleep(10*time.Minute + 3*askEvery)
		for _, n := range []*Node{a, b} {
			stored, err := LoadNetwork(n.Dir())
			if err != nil || len(stored.Epochs) != 1 || len(n.networkFile().Epochs) != 1 || stored.Epoch() != f.Epoch() {
				t.Errorf("%v has %d secrets, %d in use, %v", n.ID(), len(stored.Epochs), len(n.networkFile().Epochs), err)
			}
		}
		if !b.gate.Admitted(a.ID()) {
			t.Error("a member with the new secret was let go")
		}
	})
}

// The node was closed when the overlap ended, or the root's key was taken away.
func TestTheOverlapEndsAtTheNextStart(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, _ := founder(t, net, 0, "Acme")
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := RotateNetwork(a.Dir(), time.Hour, time.Now()); err != nil {
			t.Fatal(err)
		}
		key := filepath.Join(a.Dir(), rootKeyFile)
		time.Sleep(2 * time.Hour)
		if err := os.Rename(key, key+".away"); err != nil {
			t.Fatal(err)
		}
		a = simNode(t, net, 1, func(c *Config) { c.Dir = a.Dir() })
		time.Sleep(time.Minute)
		if got := len(a.networkFile().Epochs); got != 2 {
			t.Errorf("%d secrets without the key to end one", got)
		}
		if err := os.Rename(key+".away", key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * lookEvery)
		if got := len(a.networkFile().Epochs); got != 1 {
			t.Errorf("%d secrets", got)
		}
		if _, err := FinishRotation(a.Dir()); !errors.Is(err, ErrNoOverlap) {
			t.Error(err)
		}
	})
}

// A record reaches members who all met before it was signed, and who know all
// the servers of the table that they want.
func TestARecordReachesThoseWhoMetLongAgo(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, invite := founder(t, net, 0, "Acme")
		nodes := []*Node{a}
		for i := 1; i < 5; i++ {
			nodes = append(nodes, simNode(t, net, i, invited(invite), peersOf(nodes...)))
		}
		waitAdmitted(t, a, nodes[1:]...)
		time.Sleep(2 * time.Minute)
		for _, n := range nodes {
			if n.table.Scarce() {
				t.Fatal("a node looks for servers still: the test shows nothing")
			}
		}
		if _, err := RotateNetwork(a.Dir(), 48*time.Hour, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		for _, n := range nodes[1:] {
			if n.networkFile().sequence() != 1 {
				t.Fatal("a member knows already: the test shows nothing")
			}
		}
		missing := func(n *Node) bool { return n.networkFile().sequence() < 2 }
		for begin := time.Now(); slices.ContainsFunc(nodes, missing); time.Sleep(time.Minute) {
			if time.Since(begin) > 24*askEvery { // whom one asks is left to chance
				t.Fatal("a member does not know it after four hours")
			}
		}
	})
}

// A command holds the lock while the node looks: it looks again.
func TestTheRunningNodeLooksAgain(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, _ := founder(t, net, 0, "Acme")
		if _, err := RotateNetwork(a.Dir(), time.Hour, time.Now()); err != nil {
			t.Fatal(err)
		}
		lock, err := lockIn(a.Dir(), networkLock)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * lookEvery)
		if got := len(a.networkFile().Epochs); got != 1 {
			t.Errorf("%d secrets while a command is at it", got)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		if got := len(a.networkFile().Epochs); got != 2 {
			t.Errorf("%d secrets afterwards", got)
		}
	})
}
