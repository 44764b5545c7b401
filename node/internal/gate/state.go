package gate

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Admit lets p appear on the facade. It reports false if p has no connection,
// or only such that are about to be closed.
// For an admitted peer it does nothing and reports true.
//
// If streams of p had to be reset before, its protocols may have given this
// node up; then Admit closes the connections instead, so that both sides start
// anew, and reports false.
func (g *Gate) Admit(p peer.ID) bool {
	g.mu.Lock()
	e := g.peers[p]
	if e == nil || len(e.torn) > 0 {
		g.mu.Unlock()
		return false
	}
	if e.admitted != 0 {
		g.mu.Unlock()
		return true
	}
	if e.deaf {
		e.deaf = false
		g.mu.Unlock()
		g.log.Debug("peer admitted too late, reconnecting", "peer", p)
		_ = g.real.Network().ClosePeer(p)
		return false
	}
	g.epoch++
	e.admitted, e.refused = g.epoch, false
	g.remember(p)
	e.wake()
	g.markLocked(p)
	g.mu.Unlock()
	return true
}

// remember notes that p was admitted once. Who is forgotten when the memory is
// full only loses the privilege to be held beyond HoldTotal.
func (g *Gate) remember(p peer.ID) {
	if len(g.known) >= maxKnown {
		for old := range g.known {
			delete(g.known, old)
			break
		}
	}
	g.known[p] = true
}

// Refuse ends the waits for p's admission: its hello failed for good. The peer
// may still be admitted later.
func (g *Gate) Refuse(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.peers[p]; e != nil && e.admitted == 0 {
		e.refused = true
		e.wake()
	}
}

// Admitted reports whether p is admitted now.
func (g *Gate) Admitted(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.peers[p]
	return e != nil && e.admitted != 0
}

// Connected reports whether p has a connection, admitted or not.
func (g *Gate) Connected(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.peers[p] != nil && len(g.peers[p].conns) > 0
}

// Known reports whether p was admitted at some time since the gate was made.
func (g *Gate) Known(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known[p]
}

// Peers lists the admitted peers in no order.
func (g *Gate) Peers() []peer.ID {
	g.mu.Lock()
	defer g.mu.Unlock()
	ids := make([]peer.ID, 0, len(g.peers))
	for p, e := range g.peers {
		if e.admitted != 0 {
			ids = append(ids, p)
		}
	}
	return ids
}

// Wait blocks until p is admitted. It fails with [ErrNotAdmitted] when p has no
// connection, was refused, or within d was not admitted; with ctx's error or
// [ErrClosed] when those end first.
func (g *Gate) Wait(ctx context.Context, p peer.ID, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		g.mu.Lock()
		e := g.peers[p]
		if e == nil || e.refused {
			g.mu.Unlock()
			return ErrNotAdmitted
		}
		if e.admitted != 0 {
			g.mu.Unlock()
			return nil
		}
		changed := e.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			return ErrNotAdmitted
		case <-ctx.Done():
			return ctx.Err()
		case <-g.done:
			return ErrClosed
		}
	}
}

// connWatch is the gate as a notifiee of the real network: it counts
// connections. The swarm calls Connected before it accepts streams of the
// connection, and Disconnected after Connected has returned.
type connWatch Gate

func (w *connWatch) Connected(_ network.Network, c network.Conn)    { (*Gate)(w).connected(c) }
func (w *connWatch) Disconnected(_ network.Network, c network.Conn) { (*Gate)(w).disconnected(c) }
func (w *connWatch) Listen(network.Network, ma.Multiaddr)           {}
func (w *connWatch) ListenClose(network.Network, ma.Multiaddr)      {}

func (g *Gate) connected(c network.Conn) {
	p := c.RemotePeer()
	g.mu.Lock()
	e := g.peers[p]
	if e == nil {
		e = &entry{conns: make(map[network.Conn]bool), changed: make(chan struct{})}
		g.peers[p] = e
	}
	if _, carries := e.conns[c]; !carries { // a stream may have come first
		e.conns[c] = false
	}
	e.refused = false
	stranger := e.admitted == 0
	if !stranger {
		g.markLocked(p)
	}
	g.mu.Unlock()
	if stranger {
		g.opts.Connected(p)
	}
}

func (g *Gate) disconnected(c network.Conn) {
	p := c.RemotePeer()
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.peers[p]
	if e == nil {
		return
	}
	torn := e.conns[c] && e.admitted != 0
	delete(e.conns, c)
	if e.admitted != 0 {
		g.markLocked(p)
	}
	if len(e.conns) > 0 {
		if torn {
			e.tear()
		}
		return
	}
	delete(g.peers, p)
	e.wake()
}

// tear ends an admission and hands its connections to the emit loop, which
// closes them.
func (e *entry) tear() { e.admitted, e.torn = 0, slices.Collect(maps.Keys(e.conns)) }

// carries notes that c serves the facade's protocols, unless its peer is not
// admitted (any more): then it reports false. A stream may be opened on a
// connection before the gate is told of it, and just when it ends: then the
// admission ends as if c had broken a moment later.
func (g *Gate) carries(c network.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := c.RemotePeer()
	e := g.peers[p]
	if e == nil || e.admitted == 0 {
		return false
	}
	if _, told := e.conns[c]; !told && c.IsClosed() { // the gate was told of its end already
		e.tear()
		g.markLocked(p)
		return false
	}
	e.conns[c] = true
	return true
}

// intake follows the real host's bus. It must never wait for a subscriber of
// the facade: a full bus stalls libp2p.
func (g *Gate) intake() {
	for ev := range g.sub.Out() {
		switch ev := ev.(type) {
		case event.EvtPeerIdentificationCompleted:
			g.identified(ev)
		case event.EvtPeerIdentificationFailed:
			g.unidentified(ev.Peer)
		case event.EvtPeerProtocolsUpdated:
			g.mark(ev.Peer)
		case event.EvtLocalAddressesUpdated:
			g.mu.Lock()
			g.addrs = &ev
			g.mu.Unlock()
			g.feed.poke()
		}
	}
}

func (g *Gate) identified(ev event.EvtPeerIdentificationCompleted) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.peers[ev.Peer]
	if e == nil {
		return // gone already
	}
	e.identified++
	e.identify = ev
	if e.admitted != 0 {
		g.markLocked(ev.Peer)
	}
}

// unidentified closes a peer of whom no identify exchange ever succeeded:
// nobody will try again on these connections, and without it the protocols
// above never hear of the peer. A new connection can.
func (g *Gate) unidentified(p peer.ID) {
	g.mu.Lock()
	e := g.peers[p]
	useless := e != nil && e.identified == 0
	g.mu.Unlock()
	if useless {
		g.log.Debug("identify failed, closing", "peer", p)
		_ = g.real.Network().ClosePeer(p)
	}
}

func (g *Gate) mark(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.peers[p]; e != nil && e.admitted != 0 {
		g.markLocked(p)
	}
}

// markLocked tells every follower that p changed.
func (g *Gate) markLocked(p peer.ID) {
	g.feed.mark(p)
	for f := range g.follow {
		f.mark(p)
	}
}
