package node

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// maxSkew is by how much a node's clock may differ from its peers' before it
// says so.
const maxSkew = time.Minute

// skews compares the own clock with those that admitted peers showed in hello.
type skews struct {
	mu     sync.Mutex
	peers  map[peer.ID]skewSample
	warned bool
}

// skewSample is a peer's clock minus ours at a moment.
type skewSample struct {
	skew time.Duration
	at   time.Time
}

// now corrects the sample for steps of our own clock since it was taken: wall
// and monotonic clock then went different ways.
func (s skewSample) now(t time.Time) time.Duration {
	step := t.Round(0).Sub(s.at.Round(0)) - t.Sub(s.at)
	return s.skew - step
}

func (s *skews) set(p peer.ID, d time.Duration, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peers == nil {
		s.peers = make(map[peer.ID]skewSample)
	}
	s.peers[p] = skewSample{d, at}
}

func (s *skews) remove(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, p)
}

// median returns by how much the admitted peers' clocks are ahead of ours, 0
// without peers. Of an even number it takes the one nearer to zero.
func (s *skews) median(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.peers) == 0 {
		return 0
	}
	all := make([]time.Duration, 0, len(s.peers))
	for _, v := range s.peers {
		all = append(all, v.now(now))
	}
	slices.Sort(all)
	a, b := all[(len(all)-1)/2], all[len(all)/2]
	if a.Abs() < b.Abs() {
		return a
	}
	return b
}

// turn reports whether the warning is to be given or taken back now.
func (s *skews) turn(wrong bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	turned := s.warned != wrong
	s.warned = wrong
	return turned
}

// noteSkew takes a sample and logs when the own clock begins or ends to differ
// from the others'.
func (n *Node) noteSkew(p peer.ID, d time.Duration) {
	now := time.Now()
	n.skew.set(p, d, now)
	m := n.skew.median(now)
	wrong := m.Abs() > maxSkew
	if !n.skew.turn(wrong) {
		return
	}
	if wrong {
		n.log.Warn("this machine's clock differs from its peers': set one of them right", "ahead", -m)
		return
	}
	n.log.Info("this machine's clock agrees with its peers' again")
}
