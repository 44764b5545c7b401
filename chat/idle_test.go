package chat_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/node/nodetest"
)

// A network in which nobody says anything costs little: with 20 peers and 5 rooms
// at most 1 kB a second and peer, both ways together, QUIC's acknowledgements
// among it. In the first minutes the table costs as much again.
func TestANetworkAtRestIsQuiet(t *testing.T) {
	if testing.Short() {
		t.Skip("21 nodes")
	}
	synctest.Test(t, func(t *testing.T) {
		const peers, rooms, most = 20, 5, 1000
		p := gather(t, peers+1, nodetest.Config{})
		for i := range peers + 1 {
			for r := range rooms {
				p.join(i, fmt.Sprint("room ", r))
			}
		}
		time.Sleep(330 * time.Second) // who serves the table is settled, and what it holds is told ever more rarely
		sent := func() (packets, bytes uint64) {
			for i := range peers + 1 {
				ps, bs := p.Traffic(i)
				packets, bytes = packets+ps, bytes+bs
			}
			return packets, bytes
		}
		packets, bytes := sent()
		const span = time.Minute
		time.Sleep(span)
		p2, b2 := sent()
		each := float64(2*(b2-bytes)) / (peers + 1) / peers / span.Seconds() // what one sends another gets
		t.Logf("%.0f bytes and %.1f packets a second and peer", each, float64(2*(p2-packets))/(peers+1)/peers/span.Seconds())
		if each > most {
			t.Errorf("%.0f bytes a second and peer, want at most %d", each, most)
		}
	})
}
