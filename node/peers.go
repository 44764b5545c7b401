package node

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Peer is an admitted peer.
type Peer struct {
	ID peer.ID
	// Addrs are those it listens on, that of its oldest connection first. The
	// port that an inbound connection comes from is not one of them. Empty for
	// a moment after it has dialled us, until it has told them.
	Addrs []ma.Multiaddr
	// Transport is that of its oldest connection: "quic", "tcp", "ws", …
	Transport string
	// RTT is the smoothed round-trip time; 0 until the first ping came back.
	RTT time.Duration
	// Zone is where it says it is; empty if it says nothing.
	Zone string
	// Since is when it was admitted.
	Since time.Time
}

// PeerChange says that a peer was admitted, or is gone.
type PeerChange struct {
	ID       peer.ID
	Admitted bool
}

// Peers returns the admitted peers, sorted by ID, oneself not among them.
func (n *Node) Peers() []Peer {
	ids := n.gate.Peers()
	slices.SortFunc(ids, func(a, b peer.ID) int { return bytes.Compare([]byte(a), []byte(b)) })
	out := make([]Peer, 0, len(ids))
	for _, id := range ids {
		conns := n.host.Network().ConnsToPeer(id)
		if len(conns) == 0 {
			continue // just going
		}
		m := n.mates.get(id)
		out = append(out, Peer{
			ID: id, Addrs: reachedAt(conns[0], m.addrs), Transport: transportOf(conns[0].RemoteMultiaddr()),
			RTT: n.pulse.RTT(id), Zone: m.zone, Since: m.since,
		})
	}
	return out
}

// Near reports whether an admitted peer says that it is in this node's zone.
func (n *Node) Near(id peer.ID) bool { return n.inZone(n.mates.get(id).zone) }

// Admitted reports whether p is one of [Node.Peers].
func (n *Node) Admitted(p peer.ID) bool { return n.gate.Admitted(p) }

func (n *Node) inZone(zone string) bool { return zone != "" && zone == n.cfg.Zone }

// Knows reports whether p was admitted here at some time that is remembered.
func (n *Node) Knows(p peer.ID) bool { return n.gate.Known(p) || n.book.knows(p) }

// Known returns the peers that were admitted once and are remembered, in no
// order.
func (n *Node) Known() []peer.ID {
	var ids []peer.ID
	for _, p := range n.book.all() {
		ids = append(ids, p.ID)
	}
	return ids
}

// reachedAt sorts the addresses a peer listens on; that of its connection comes
// first, if it is one: the peer says so, or we dialled it.
func reachedAt(c network.Conn, listen []ma.Multiaddr) []ma.Multiaddr {
	addrs, used := shownAddrs(listen), c.RemoteMultiaddr()
	if c.Stat().Direction == network.DirOutbound || ma.Contains(addrs, used) {
		addrs = slices.DeleteFunc(addrs, used.Equal)
		addrs = slices.Insert(addrs, 0, used)
	}
	return addrs
}

// transportOf names the transport of an address.
func transportOf(a ma.Multiaddr) string {
	name := ""
	for _, c := range a {
		switch c.Protocol().Code {
		case ma.P_TCP:
			name = "tcp"
		case ma.P_QUIC_V1:
			name = "quic"
		case ma.P_WS, ma.P_WSS:
			name = "ws"
		case ma.P_WEBTRANSPORT:
			name = "webtransport"
		case ma.P_WEBRTC_DIRECT:
			name = "webrtc"
		case ma.P_CIRCUIT:
			return "relay"
		}
	}
	return name
}

// Watch tells who is admitted and who is gone, beginning with those admitted
// now, until ctx ends, the node closes or the caller breaks off. A slow reader
// holds nobody up: it misses comings and goings that cancel out, but that an
// admission ended and came again is always told. Among peers there is no order.
func (n *Node) Watch(ctx context.Context) iter.Seq[PeerChange] {
	return func(yield func(PeerChange) bool) {
		f := n.gate.Follow()
		defer f.Stop()
		for {
			for _, c := range f.Take() {
				if !yield(PeerChange{ID: c.Peer, Admitted: c.Admitted}) {
					return
				}
			}
			select {
			case <-f.Wake():
			case <-ctx.Done():
				return
			case <-n.ctx.Done():
				return
			}
		}
	}
}

// mates is what is known of admitted peers beside their connections.
type mates struct {
	mu    sync.Mutex
	peers map[peer.ID]*mate
}

type mate struct {
	since time.Time
	addrs []ma.Multiaddr // it listens on, as far as they are of use here
	zone  string
	asked bool // it was asked about itself and the network
}

// begin notes that an admission begins.
func (m *mates) begin(p peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.peers == nil {
		m.peers = make(map[peer.ID]*mate)
	}
	m.peers[p] = &mate{since: time.Now()}
}

// update changes what is known of a peer, unless it is gone.
func (m *mates) update(p peer.ID, f func(*mate)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.peers[p]; v != nil {
		f(v)
	}
}

func (m *mates) get(p peer.ID) (v mate) {
	m.update(p, func(known *mate) { v = *known })
	return v
}

func (m *mates) remove(p peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.peers, p)
}
