package delivery

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// crowd is a way with peers that nothing is sent to.
type crowd struct {
	Way
	peers []peer.ID
}

func (c crowd) Peers() []peer.ID { return append([]peer.ID(nil), c.peers...) }

// Whoever is near is asked first mostly, and the others often enough for what
// they alone have. Of 1,000 draws 800 are expected: 600 or 1,000 never happen.
func TestNearPeersAreAskedFirstButNotAlways(t *testing.T) {
	var c crowd
	near := make(map[peer.ID]bool)
	for i := range 10 {
		p := peer.ID(fmt.Sprint("peer", i))
		c.peers = append(c.peers, p)
		near[p] = i < 2
	}
	l := &Log{s: &Service{cfg: Config{Near: func(p peer.ID) bool { return near[p] }}}, way: c}
	first := 0
	for range 1000 {
		sources := l.sources("")
		if len(sources) != maxSources {
			t.Fatalf("%d sources", len(sources))
		}
		if near[sources[0]] {
			first++
		}
	}
	if first < 600 || first == 1000 {
		t.Errorf("a near one was first %d times of 1,000", first)
	}
	if got := l.sources("told"); got[0] != "told" || len(got) != maxSources {
		t.Errorf("who told of it is not asked first: %v", got)
	}
}
