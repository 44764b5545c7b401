package chat_test

import (
	"bytes"
	"fmt"
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
