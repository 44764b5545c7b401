package node

import (
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// halved is a resource manager that gives strangers at most half of what there
// is, so that those who are or were admitted always get some.
//
// Without it a handful of strangers who open streams and say nothing take all
// of it, for a stream of TCP reserves 256 KiB at once. Members would then not
// only get no stream: yamux gives a connection up on which a stream cannot be
// reserved for.
type halved struct {
	network.ResourceManager
	known   func(peer.ID) bool // peers that are or were admitted; must not block
	streams int                // inbound ones of all, from which on strangers get none
}

// strangerStreams is how many inbound streams a stranger may have open: far
// more than identify, hello and those that gate holds.
const strangerStreams = 32

// OpenStream refuses a stranger's stream when it has many, or all together have.
func (h *halved) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	if dir == network.DirInbound && !h.known(p) && h.crowded(p) {
		return nil, network.ErrResourceLimitExceeded
	}
	return h.ResourceManager.OpenStream(p, dir)
}

func (h *halved) crowded(p peer.ID) bool {
	own, all := 0, 0
	_ = h.ViewPeer(p, func(s network.PeerScope) error { own = s.Stat().NumStreamsInbound; return nil })
	_ = h.ViewSystem(func(s network.ResourceScope) error { all = s.Stat().NumStreamsInbound; return nil })
	return own >= strangerStreams || all >= h.streams
}

// OpenConnection opens a connection whose memory is bounded while its peer is
// a stranger.
func (h *halved) OpenConnection(dir network.Direction, fd bool, addr ma.Multiaddr) (network.ConnManagementScope, error) {
	c, err := h.ResourceManager.OpenConnection(dir, fd, addr)
	if err != nil {
		return nil, err
	}
	return halvedConn{c, h}, nil
}

type halvedConn struct {
	network.ConnManagementScope
	h *halved
}

// PeerScope is what the multiplexer reserves its streams' memory in.
func (c halvedConn) PeerScope() network.PeerScope {
	s := c.ConnManagementScope.PeerScope()
	if s == nil {
		return nil
	}
	return halvedPeer{s, c.h}
}

type halvedPeer struct {
	network.PeerScope
	h *halved
}

func (p halvedPeer) BeginSpan() (network.ResourceScopeSpan, error) {
	s, err := p.PeerScope.BeginSpan()
	if err != nil || p.h.known(p.Peer()) {
		return s, err
	}
	return halvedSpan{s}, nil
}

type halvedSpan struct{ network.ResourceScopeSpan }

// ReserveMemory reserves with a priority that ends at half of each limit.
func (s halvedSpan) ReserveMemory(size int, prio uint8) error {
	return s.ResourceScopeSpan.ReserveMemory(size, min(prio, 127))
}
