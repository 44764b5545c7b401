package liveness

import (
	"math"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/quic-go/quic-go"
)

const (
	// lossMemory is how long packets count: those sent so long ago count as a third.
	lossMemory = 5 * time.Second
	// lossGrace are packets thought of as sent and arrived beside those that
	// were sent: a single lost one is no loss.
	lossGrace = 50
)

// losses counts packets sent and lost, older ones fading.
type losses struct {
	sent, lost float64
	at         time.Time
}

func (l *losses) add(sent, lost float64, now time.Time) {
	fade := math.Exp(-now.Sub(l.at).Seconds() / lossMemory.Seconds())
	l.sent, l.lost, l.at = l.sent*fade+sent, l.lost*fade+lost, now
}

func (l *losses) share() float64 { return max(0, l.lost) / (l.sent + lossGrace) }

// Loss returns which share of the packets sent lately over all connections was
// lost on the way. Only QUIC tells: what TCP sends again is the kernel's affair.
// A packet that no other follows soon is sent again without being counted, so a
// link that carries nothing but pings seems clean.
func (m *Monitor) Loss() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.losses.share()
}

// LossTo returns the share of those sent to p.
func (m *Monitor) LossTo(p peer.ID) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var worst float64
	for _, w := range m.peers[p] {
		worst = max(worst, w.losses.share())
	}
	return worst
}

// countLoss adds what w sent and lost since it was last asked.
func (m *Monitor) countLoss(w *watched) {
	sent, lost, ok := packets(w.conn)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	newSent, newLost := float64(sent-w.packets), float64(int64(lost-w.packetsLost)) // what seemed lost may come after all
	w.packets, w.packetsLost = sent, lost
	w.losses.add(newSent, newLost, now)
	m.losses.add(newSent, newLost, now)
}

// packets returns how many packets went out over c, and how many were lost.
func packets(c network.Conn) (sent, lost uint64, ok bool) {
	var q *quic.Conn
	if !c.As(&q) {
		return 0, 0, false
	}
	s := q.ConnectionStats()
	return s.PacketsSent, s.PacketsLost, true
}
