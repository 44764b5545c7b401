package chat_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// One floods a room in which a member is cut off for a while and another client
// forwards but acknowledges nothing: members are listened to while it lasts, the
// flood goes on, and in the end everybody has everything.
func TestAFloodIsWatchedByTheRoomAndComesWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	synctest.Test(t, func(t *testing.T) {
		const n, foreign, cut = 60_000, 4, 3
		p := gatherBut(t, 5, foreign, nodetest.Config{BitsPerSecond: 1e9})
		for i := range foreign {
			p.join(i, "lobby")
		}
		nw := p.Nodes[foreign].Network()
		topic, err := p.Nodes[foreign].PubSub().Join(wire.LogTopic(nw.Tag, event.PublicRoomLog(nw.ID, "lobby")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topic.Relay(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		for range 100 { // as people talk
			p.say(0, "lobby", "a word")
			time.Sleep(5 * time.Millisecond)
		}
		listened := func() int { return p.gauge(0, "parley_delivery_window_members") }
		if got := listened(); got != 0 {
			t.Errorf("%d are listened to by one who is not busy", got)
		}
		began, most := time.Now(), 0
		r, err := p.ms[0].Room("lobby")
		if err != nil {
			t.Fatal(err)
		}
		sent := 0
		for _, err := range r.SendAll(t.Context(), count(n)) {
			if err != nil {
				t.Fatal(err)
			}
			switch sent++; {
			case sent == n/3:
				p.Cut(cut, true)
			case sent == 2*n/3:
				p.Cut(cut, false)
			case sent%1000 == 0:
				most = max(most, listened())
			}
		}
		if most != 3 {
			t.Errorf("%d were listened to", most)
		}
		if took := time.Since(began); took > 4*time.Second { // at the pace it is 2.4 s
			t.Errorf("took %v", took)
		}
		p.waitSame(5*time.Minute, "lobby", n+100, all(foreign)...)
		time.Sleep(10 * time.Second)
		if got := listened(); got != 0 {
			t.Errorf("%d are listened to after it", got)
		}
	})
}
