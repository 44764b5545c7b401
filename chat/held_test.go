package chat_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/node/nodetest"
)

// waitHeld waits until node i says this of its own message.
func (p *party) waitHeld(d time.Duration, i int, id chat.ID, want string) {
	p.t.Helper()
	p.Wait(d, "state "+want, func() error {
		if got := p.state(i, id); got != want {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

func (p *party) state(i int, id chat.ID) string {
	p.t.Helper()
	m, err := p.ms[i].Get(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return m.State
}

// In a room of 30 a sender knows after a few seconds that all hold his message:
// each tells it in the signal that is due a second after its change, or when
// its turn comes, each 6 s with 30 nodes.
func TestHeldByAllIsKnownInSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("30 nodes")
	}
	synctest.Test(t, func(t *testing.T) {
		const n = 30
		p := gather(t, n, nodetest.Config{})
		for i := range n {
			p.join(i, "lobby")
		}
		time.Sleep(10 * time.Second)
		for i := range 3 { // one at rest, two when all have just told something
			began := time.Now()
			id := p.say(i, "lobby", "hello")
			p.waitHeld(15*time.Second, i, id, "held 29/29")
			t.Logf("after %v", time.Since(began))
		}
	})
}

// What was known is known after a restart, when nobody is there to tell it.
func TestHeldOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		for i := range 3 {
			p.join(i, "lobby")
		}
		time.Sleep(5 * time.Second)
		first := p.say(0, "lobby", "first")
		p.waitHeld(20*time.Second, 0, first, "held 2/2")
		p.Cut(0, true)
		time.Sleep(30 * time.Second)
		second := p.say(0, "lobby", "second")
		time.Sleep(10 * time.Second)
		p.Restart(0)
		if got := p.state(0, first); got != "held 2/2" {
			t.Errorf("the first is %q", got)
		}
		if got := p.state(0, second); got != chat.StateQueued {
			t.Errorf("the second is %q, and nobody has it", got)
		}
		p.Cut(0, false)
		p.waitHeld(2*time.Minute, 0, second, "held 2/2")
	})
}

// An event names a parent that nobody has: no node has the ancestors of what it
// holds, ever. What is written before and after it is known to be held all the
// same, and what is not held is not.
func TestAParentThatNobodyHasDoesNotStopHeld(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		before := v.say(0, "lobby", "before")
		v.waitHeld(20*time.Second, 0, before, "held 1/1")
		key := mint(1)
		author := event.Author(key.Public().(ed25519.PublicKey))
		drafts := []event.Draft{{HLC: event.HLCAt(time.Now()), Kind: event.KindMessage}}
		b, err := event.Seal(v.log, author, 1, event.ID{1}, drafts, func(m []byte) []byte { return ed25519.Sign(key, m) })
		if err != nil {
			t.Fatal(err)
		}
		v.publish(b.Payload())
		v.waitTexts(10*time.Second, 1, "lobby", "before", "")
		after := v.say(0, "lobby", "after")
		v.waitHeld(30*time.Second, 0, after, "held 1/1")
		v.Cut(1, true)
		time.Sleep(30 * time.Second)
		late := v.say(0, "lobby", "late")
		time.Sleep(30 * time.Second)
		if got := v.state(0, late); got != chat.StateQueued {
			t.Errorf("nobody can have it: %q", got)
		}
		v.Cut(1, false)
		v.waitHeld(2*time.Minute, 0, late, "held 1/1")
	})
}
