package node

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Status is a node at one moment, for people and scripts.
type Status struct {
	ID      peer.ID
	Network Network
	Addrs   []ma.Multiaddr
	Since   time.Time // when the node started

	Admitted  int // peers
	Strangers int // connected peers that are not admitted (yet)

	// ClockAhead is by how much this machine's clock is ahead of the median of
	// its admitted peers' (negative: behind); ClockWrong says that this is more
	// than a minute.
	ClockAhead time.Duration
	ClockWrong bool

	// Hello counts handshakes since the start by result: "admitted" and the
	// reasons of refusal.
	Hello map[string]uint64
	// StreamsHeld and StreamsRefused count streams that came before their
	// peer's admission, and those of them that were reset.
	StreamsHeld, StreamsRefused uint64

	// Discovery tells what multicast sees; nil if it is off.
	Discovery *DiscoveryStatus
	// Known counts peers known of; DialFailures dials that failed; LastDialError
	// is the last one's, empty after a success.
	Known         int
	DialFailures  uint64
	LastDialError string
}

// Status returns the present state.
func (n *Node) Status() Status {
	held := n.gate.Stats()
	dials := n.dialer.Status()
	ahead := -n.skew.median(time.Now())
	s := Status{
		ID: n.ID(), Network: n.Network(), Addrs: n.Addrs(), Since: n.since,
		Admitted:   len(n.gate.Peers()),
		ClockAhead: ahead, ClockWrong: ahead.Abs() > maxSkew,
		Hello:       n.metrics.helloCounts(),
		StreamsHeld: held.Held, StreamsRefused: held.Refused,
		Known: dials.Candidates, DialFailures: dials.Failures, LastDialError: dials.LastError,
	}
	s.Strangers = max(0, len(n.host.Network().Peers())-s.Admitted)
	if n.disc != nil {
		d := n.disc.Status()
		s.Discovery = &d
	}
	return s
}
