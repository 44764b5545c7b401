package chat_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// twice is how many events node i may have received more often than once over
// its direct chats: those that a stream brought again, and as many as its
// requests can have brought.
func (p *party) twice(i int) int {
	const most = 64 // ids in a request, here each in a batch of its own
	return p.metric(i, "parley_direct_useless_total", "") + most*p.metric(i, "parley_delivery_fetches_asked_total", "ok")
}

// What waited for one who was away goes over the stream, and comparing the logs
// does not bring it once more.
//
// spec: 07-direct M14
func TestABacklogTravelsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		p := gather(t, 2, nodetest.Config{Latency: 20 * time.Millisecond, BitsPerSecond: 5e5})
		p.tell(0, 1, "first")
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		gone := p.ms[1].ID()
		p.Stop(1)
		p.WaitGone(10*time.Second, 0, gone)
		for i := range n { // one by one: as many batches
			p.tell(0, 1, fmt.Sprint(i))
		}
		p.Start(1)
		p.WaitAdmitted(10 * time.Minute)
		p.Wait(time.Minute, "all has come", func() error {
			if got := len(p.told(1, 0)); got != n+1 {
				return fmt.Errorf("%d", got)
			}
			return nil
		})
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		time.Sleep(time.Minute) // they compare all the same
		if p.metric(1, "parley_delivery_syncs_total", "in-sync") == 0 {
			t.Error("the logs were never compared")
		}
		if again := p.twice(1); again > n/5 {
			t.Errorf("%d of %d may have come twice", again, n)
		}
		if got := texts(p.told(1, 0))[1:]; !slices.Equal(got, numbered("", n)) {
			t.Error("not in order")
		}
	})
}

// A long backlog is cut in the middle, and both sides start anew.
func TestARestartOfBothInTheMiddleOfABacklog(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		p := gather(t, 2, nodetest.Config{Latency: 20 * time.Millisecond, BitsPerSecond: 5e5})
		p.tell(0, 1, "first")
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		p.Cut(1, true)
		p.WaitGone(time.Minute, 0, p.ms[1].ID())
		for i := range n {
			p.tell(0, 1, fmt.Sprint(i))
		}
		p.Cut(1, false)
		p.Wait(10*time.Minute, "a part of it", func() error {
			if got := len(p.told(1, 0)); got < n/3 {
				return fmt.Errorf("%d", got)
			}
			return nil
		})
		p.Cut(1, true)
		time.Sleep(time.Minute)
		part := len(p.told(1, 0))
		if part > n*3/4 {
			t.Fatalf("%d came before the cut", part)
		}
		p.Restart(1) // which plugs it in again
		p.Cut(1, true)
		p.Restart(0)
		time.Sleep(time.Minute)
		p.claimsAreTrue(0, 1)
		p.Cut(1, false)
		p.WaitAdmitted(10 * time.Minute)
		p.Wait(time.Minute, "all has come", func() error {
			p.claimsAreTrue(0, 1)
			if got := len(p.told(1, 0)); got != n+1 {
				return fmt.Errorf("%d", got)
			}
			return nil
		})
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		if got := texts(p.told(1, 0))[1:]; !slices.Equal(got, numbered("", n)) {
			t.Error("not in order, or not once")
		}
		if again := p.twice(1); again > n/5 {
			t.Errorf("%d of %d may have come twice", again, n-part)
		}
	})
}

// claimsAreTrue looks whether node j has each message of which node i says that
// he has it.
func (p *party) claimsAreTrue(i, j int) {
	p.t.Helper()
	has := make(map[chat.ID]bool)
	for _, m := range p.told(j, i) {
		has[m.ID] = true
	}
	for _, m := range p.told(i, j) {
		if m.Self && m.State == chat.StateDelivered && !has[m.ID] {
			p.t.Fatalf("message %d, %q, is said to be delivered and is not", m.Seq, m.Text)
		}
	}
}

// One side is put back to an older copy and writes on, more than can be sent at
// once, before the two meet. Nothing is said to be delivered that is not, on
// whichever branch it is, and in the end everything is.
//
// spec: 07-direct M17, M20
func TestStatesOfAForkAreTrue(t *testing.T) {
	long(t)
	for _, n := range [][2]int{{200, 200}, {20, 400}, {400, 20}, {400, 300}} {
		t.Run(fmt.Sprintf("%d and %d", n[0], n[1]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { statesOfAFork(t, n[0], n[1]) })
		})
	}
}

func statesOfAFork(t *testing.T, before, after int) {
	p := gather(t, 2, nodetest.Config{Latency: 20 * time.Millisecond, BitsPerSecond: 5e5})
	p.tell(0, 1, "kept")
	p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
	p.Stop(0)
	copied := t.TempDir()
	copyDir(t, copied, p.Dir(0))
	p.Start(0)
	p.WaitAdmitted(10 * time.Minute)
	for i := range before {
		p.tell(0, 1, fmt.Sprint("old ", i))
	}
	p.waitReach(time.Minute, 0, 1, chat.StateDelivered)
	p.Stop(0)
	if err := os.RemoveAll(p.Dir(0)); err != nil {
		t.Fatal(err)
	}
	copyDir(t, p.Dir(0), copied)
	p.Partition([]int{0}, []int{1})
	p.Start(0)
	for i := range after {
		p.tell(0, 1, fmt.Sprint("new ", i))
	}
	p.Heal()
	p.WaitAdmitted(10 * time.Minute)
	p.Wait(time.Minute, "a part of it", func() error {
		if got := len(p.told(1, 0)) - before; got < after/3 {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
	p.Cut(1, true)
	p.WaitGone(time.Minute, 0, p.ms[1].ID())
	p.claimsAreTrue(0, 1)
	said := 0
	for ; said < 5; said++ { // on whichever branch it is on now
		p.tell(0, 1, fmt.Sprint("then ", said))
	}
	p.Cut(1, false)
	p.Wait(10*time.Minute, "both have both branches", func() error {
		p.claimsAreTrue(0, 1)
		if said < 20 { // the chain goes on meanwhile
			p.tell(0, 1, fmt.Sprint("then ", said))
			said++
		}
		a, b := p.told(0, 1), p.told(1, 0)
		if len(a) != before+after+1+said || said < 20 || !slices.Equal(ids(a), ids(b)) {
			return fmt.Errorf("%d and %d", len(a), len(b))
		}
		return nil
	})
	p.waitReach(time.Minute, 0, 1, chat.StateDelivered)
	p.Restart(0)
	p.WaitAdmitted(10 * time.Minute)
	p.waitReach(time.Minute, 0, 1, chat.StateDelivered)
}

// One says how much he has for us and sends nothing of it. He is waited for a
// little, and then asked.
func TestOneWhoAnnouncesAndSendsNothingIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 2, nodetest.Config{})
		evil, victim := p.Nodes[2], p.Nodes[0]
		if _, err := p.ms[0].Direct(evil.ID()).Send(t.Context(), chat.Text("hello")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		tried := func() int { return p.metric(0, "parley_delivery_syncs_total", "failed") } // he does not serve it
		before := tried()
		c, _ := whisper(t, evil, victim.ID(), "chat")
		place := append([]byte{0, 0, 0, 0, 0, 0, 0, 9}, bytes.Repeat([]byte{7}, 32)...)
		places := append(append(make([]byte, 0, 120), place...), make([]byte, 80)...)
		if a, b := authorOf(t, evil.ID()), authorOf(t, victim.ID()); string(a[:]) > string(b[:]) {
			places = append(append(make([]byte, 40, 120), place...), make([]byte, 40)...)
		}
		if err := wire.WriteFrame(c, frame(1, places)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if tried() != before {
			t.Error("he was asked at once")
		}
		time.Sleep(20 * time.Second)
		if tried() == before {
			t.Error("he was not asked")
		}
	})
}
