package chat_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// Two halves of a room talk on for an hour without each other. Five seconds
// after they met everybody has everything, and says so.
//
// spec: 06-sync M14
func TestAnHourApartIsMadeUpInSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("an hour of four nodes")
	}
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 4, nodetest.Config{Latency: 10 * time.Millisecond})
		for i := range 4 {
			p.join(i, "lobby")
		}
		time.Sleep(5 * time.Second)
		p.Partition([]int{0, 1}, []int{2, 3})
		said := 0
		for began := time.Now(); time.Since(began) < time.Hour; said++ {
			p.say(said%4, "lobby", fmt.Sprint(said))
			time.Sleep(7 * time.Second)
		}
		p.Heal()
		p.WaitAdmitted(15 * time.Minute)
		p.waitSame(5*time.Second, "lobby", said, all(4)...)
		time.Sleep(time.Minute)
		for i := range 4 {
			if p.metric(i, "parley_delivery_syncs_total", "in-sync") == 0 {
				t.Errorf("node %d never says that it is in sync", i)
			}
		}
	})
}

// A newcomer is cut off while history comes. What had come is not asked for
// again when it is back.
func TestACutSyncGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		p := gather(t, 2, nodetest.Config{Latency: 50 * time.Millisecond, BitsPerSecond: 4e6})
		p.join(0, "lobby")
		for i := range n { // one by one: as many batches as events
			p.say(0, "lobby", fmt.Sprint(i))
		}
		p.join(1, "lobby")
		got := func() int { return len(p.history(1, "lobby", chat.Query{})) }
		p.Wait(time.Minute, "a part of it", func() error {
			if got() < n/5 {
				return fmt.Errorf("%d", got())
			}
			return nil
		})
		p.Cut(1, true)
		time.Sleep(time.Minute)
		part := got()
		if part >= n {
			t.Fatal("all of it came before the cut")
		}
		before := p.metric(0, "parley_delivery_fetches_served_total", "ok")
		p.Cut(1, false)
		p.waitSame(10*time.Minute, "lobby", n, 0, 1)
		after := p.metric(0, "parley_delivery_fetches_served_total", "ok")
		if most := (n-part)/64 + 12; after-before > most {
			t.Errorf("%d requests for the %d that had not come, at most %d are right", after-before, n-part, most)
		}
		t.Logf("%d came before the cut, %d requests then, %d afterwards", part, before, after-before)
	})
}
