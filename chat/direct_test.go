package chat_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// direct is node i's chat with node j, which may be stopped.
func (p *party) direct(i, j int) *chat.Direct { return p.ms[i].Direct(p.ms[j].ID()) }

func (p *party) tell(i, j int, text string) chat.ID {
	p.t.Helper()
	id, err := p.direct(i, j).Send(p.t.Context(), chat.Text(text))
	if err != nil {
		p.t.Fatalf("node %d tells %d %q: %v", i, j, text, err)
	}
	return id
}

func (p *party) told(i, j int) []chat.Message {
	p.t.Helper()
	var out []chat.Message
	for msg, err := range p.direct(i, j).History(p.t.Context(), chat.Query{}) {
		if err != nil {
			p.t.Fatalf("history of node %d: %v", i, err)
		}
		out = append(out, msg)
	}
	return out
}

// waitTold waits until node i sees these texts, in this order, in its chat with
// node j.
func (p *party) waitTold(d time.Duration, i, j int, want ...string) {
	p.t.Helper()
	p.Wait(d, fmt.Sprintf("node %d has what it said with %d", i, j), func() error {
		if got := texts(p.told(i, j)); !slices.Equal(got, want) {
			return fmt.Errorf("%d of %d: %.300q", len(got), len(want), got)
		}
		return nil
	})
}

// waitReach waits until all that node i told node j has come so far.
func (p *party) waitReach(d time.Duration, i, j int, want string) {
	p.t.Helper()
	p.Wait(d, fmt.Sprintf("what node %d told %d is %s", i, j, want), func() error {
		for _, m := range p.told(i, j) {
			if m.Self && m.State != want {
				return fmt.Errorf("message %d is %s", m.Seq, m.State)
			}
		}
		return nil
	})
}

func numbered(prefix string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}

func TestTwoTalkAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.tell(0, 1, "hello")
		p.waitTold(time.Second, 1, 0, "hello")
		p.waitReach(time.Second, 0, 1, chat.StateDelivered)
		p.tell(1, 0, "hello yourself")
		p.waitTold(time.Second, 0, 1, "hello", "hello yourself")
		p.waitReach(time.Second, 1, 0, chat.StateDelivered)
		got := p.told(1, 0)
		if m := got[0]; m.Direct != p.ms[0].ID() || m.Room != "" || m.Nick != "nick0" || m.Author != p.ms[0].ID() || m.State != "" {
			t.Errorf("got %+v", m)
		}
		if err := p.direct(1, 0).MarkRead(t.Context(), got[1].ID); err != nil {
			t.Fatal(err)
		}
		p.waitReach(time.Second, 0, 1, chat.StateRead)
		for i, want := range []int{1, 1, 0} {
			if peers, err := p.ms[i].Directs(t.Context()); err != nil || len(peers) != want {
				t.Errorf("node %d has the chats %v, %v", i, peers, err)
			}
		}
	})
}

// Both begin at once: one stream stays, and nothing is lost.
//
// spec: 07-direct M7
func TestBothOpenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		for i := range 100 {
			p.tell(0, 1, fmt.Sprint("a", i))
			p.tell(1, 0, fmt.Sprint("b", i))
		}
		p.Wait(5*time.Second, "both have all", func() error {
			if a, b := len(p.told(0, 1)), len(p.told(1, 0)); a != 200 || b != 200 {
				return fmt.Errorf("%d and %d", a, b)
			}
			return nil
		})
		p.waitReach(time.Second, 0, 1, chat.StateDelivered)
		p.waitReach(time.Second, 1, 0, chat.StateDelivered)
		for i := range 2 {
			if n := p.gauge(i, "parley_direct_streams"); n != 1 {
				t.Errorf("node %d has %d streams", i, n)
			}
		}
		if a, b := ids(p.told(0, 1)), ids(p.told(1, 0)); !slices.Equal(a, b) {
			t.Error("the two differ")
		}
	})
}

func ids(msgs []chat.Message) (out []chat.ID) {
	for _, m := range msgs {
		out = append(out, m.ID)
	}
	return out
}

// What is told to one who is away waits, over restarts of both.
//
// spec: 07-direct M14
func TestMessagesToOneWhoIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.tell(0, 1, "first")
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		gone := p.ms[1].ID()
		p.Stop(1)
		p.WaitGone(10*time.Second, 0, gone)
		want := append([]string{"first"}, numbered("", 50)...)
		for _, text := range want[1:] {
			p.tell(0, 1, text)
		}
		for _, m := range p.told(0, 1)[1:] {
			if m.State != chat.StateQueued {
				t.Fatalf("message %d is %s", m.Seq, m.State)
			}
		}
		p.Restart(0)
		time.Sleep(time.Hour)
		if got := p.told(0, 1)[0].State; got != chat.StateDelivered {
			t.Errorf("the delivered one is %s after a restart", got)
		}
		p.Start(1)
		p.WaitAdmitted(10 * time.Minute)
		p.waitTold(10*time.Second, 1, 0, want...)
		p.waitReach(5*time.Second, 0, 1, chat.StateDelivered)
		last := p.told(1, 0)[50]
		p.Stop(0)
		if err := p.direct(1, 0).MarkRead(t.Context(), last.ID); err != nil {
			t.Fatal(err)
		}
		p.Restart(1)
		p.Start(0)
		p.WaitAdmitted(10 * time.Minute)
		p.waitReach(10*time.Second, 0, 1, chat.StateRead)
	})
}

// The cable is pulled again and again while a thousand messages go each way.
//
// spec: 07-direct M8, M17
func TestACutStreamLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{Loss: 0.02})
		const count = 1000
		for i := range count {
			p.tell(0, 1, fmt.Sprint("a", i))
			p.tell(1, 0, fmt.Sprint("b", i))
			if i%250 == 100 {
				p.Cut(1, true)
			}
			if i%250 == 200 {
				time.Sleep(10 * time.Second)
				p.Cut(1, false)
				p.WaitAdmitted(10 * time.Minute)
			}
		}
		p.Wait(time.Minute, "both have all", func() error {
			if a, b := len(p.told(0, 1)), len(p.told(1, 0)); a != 2*count || b != 2*count {
				return fmt.Errorf("%d and %d", a, b)
			}
			return nil
		})
		p.waitReach(10*time.Second, 0, 1, chat.StateDelivered)
		p.waitReach(10*time.Second, 1, 0, chat.StateDelivered)
		if a, b := ids(p.told(0, 1)), ids(p.told(1, 0)); !slices.Equal(a, b) {
			t.Error("the two differ")
		}
		for i := range 2 {
			n := 0
			for _, m := range p.told(i, 1-i) {
				if m.Self {
					continue
				}
				if want := fmt.Sprint(string("ba"[i]), n); m.Text != want {
					t.Fatalf("message %d of the other is %q", n, m.Text)
				}
				n++
			}
		}
	})
}

func TestANotebook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		p.tell(0, 0, "milk")
		p.waitTold(time.Second, 0, 0, "milk")
		p.waitReach(time.Second, 0, 0, chat.StateDelivered)
		p.Restart(0)
		p.waitTold(time.Second, 0, 0, "milk")
	})
}
