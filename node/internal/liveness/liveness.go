// Package liveness notices dead connections of a libp2p host.
//
// TCP and QUIC take between half a minute and many minutes to give a silent
// peer up. A [Monitor] pings every watched connection with libp2p's ping
// protocol when nothing was heard on it for [Interval], and closes it when
// nothing is heard for [Timeout] after that: at most 3 s after its peer died.
// Round-trip times come along.
//
// Anything that is known to come from the peer counts as life: its own pings,
// which the monitor answers in the place of libp2p's service, and what the owner
// reports with Heard. So a connection that carries something costs nothing more,
// and on one at rest a single side pings: the dialled one waits for the pings of
// the other a little longer. On a slow link, too, a pong may wait behind a long
// queue of data.
package liveness

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// Interval is how long nothing may be heard before the side that dialled pings.
	Interval = time.Second
	// Patience is how much longer the dialled side waits for that ping. With
	// round trips that take longer both sides ping.
	Patience = 200 * time.Millisecond
	// Timeout is how long nothing may be heard while a ping is out: TCP sends
	// thrice again in that time.
	Timeout = 1750 * time.Millisecond
	// beat is what pings are gathered for: all that are due before the next one go
	// now, so that a node at rest wakes ten times a second and not once a peer.
	beat = 100 * time.Millisecond
	// measureEvery is how often a side pings at the least, for the round-trip time.
	measureEvery = 30 * time.Second
)

// Monitor watches connections. Make one with New.
type Monitor struct {
	host host.Host
	log  *slog.Logger
	dead func(network.Conn)

	begun  time.Time // of which beats are counted
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[network.Conn]*watched
	peers  map[peer.ID][]*watched
	losses losses // of all connections
}

// watched is one connection under watch. Guarded by Monitor.mu.
type watched struct {
	conn   network.Conn
	quiet  time.Duration // that nothing may be heard before it is pinged
	pinged time.Time
	heard  time.Time
	rtt    time.Duration // smoothed; 0 = not known yet

	losses               losses
	packets, packetsLost uint64 // counted so far
}

// quietTime is how long nothing may be heard on c before it is pinged.
func quietTime(c network.Conn) time.Duration {
	if c.Stat().Direction == network.DirOutbound {
		return Interval
	}
	return Interval + Patience
}

// New makes a monitor for connections of h, the real host, and serves ping on
// it: build h without libp2p's own service. dead is told of each connection
// before it is closed for silence; nil is allowed.
func New(h host.Host, log *slog.Logger, dead func(network.Conn)) *Monitor {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if dead == nil {
		dead = func(network.Conn) {}
	}
	m := &Monitor{
		host: h, log: log, dead: dead, begun: time.Now(),
		conns: make(map[network.Conn]*watched), peers: make(map[peer.ID][]*watched),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	h.SetStreamHandler(ProtocolID, m.serve)
	return m
}

// Close stops all watching and waits for it.
func (m *Monitor) Close() error {
	m.host.RemoveStreamHandler(ProtocolID)
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.wg.Wait()
	return nil
}

// Monitor is a network.Notifiee: register it where the connections to be
// watched are told.

// Connected starts watching c.
func (m *Monitor) Connected(_ network.Network, c network.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.conns[c] != nil {
		return
	}
	w := &watched{conn: c, quiet: quietTime(c), heard: time.Now()}
	m.conns[c] = w
	m.peers[c.RemotePeer()] = append(m.peers[c.RemotePeer()], w)
	m.wg.Go(func() { m.watch(w) })
}

// Disconnected does nothing: watching ends with the connection itself.
func (m *Monitor) Disconnected(network.Network, network.Conn) {}

// Listen does nothing.
func (m *Monitor) Listen(network.Network, ma.Multiaddr) {}

// ListenClose does nothing.
func (m *Monitor) ListenClose(network.Network, ma.Multiaddr) {}

// forget ends the watch of w.
func (m *Monitor) forget(w *watched) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, w.conn)
	p := w.conn.RemotePeer()
	left := m.peers[p][:0:0]
	for _, other := range m.peers[p] {
		if other != w {
			left = append(left, other)
		}
	}
	if len(left) == 0 {
		delete(m.peers, p)
		return
	}
	m.peers[p] = left
}

// RTT returns the smoothed round-trip time of p's fastest connection; 0 if
// none is known.
func (m *Monitor) RTT(p peer.ID) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var best time.Duration
	for _, w := range m.peers[p] {
		if w.rtt > 0 && (best == 0 || w.rtt < best) {
			best = w.rtt
		}
	}
	return best
}

// Heard says that something came from p just now. It counts only where p has
// one connection: with several, a living one would vouch for a dead one.
func (m *Monitor) Heard(p peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ws := m.peers[p]; len(ws) == 1 {
		ws[0].heard = time.Now()
	}
}

// heardOn says that something came over c just now.
func (m *Monitor) heardOn(c network.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.conns[c]; w != nil {
		w.heard = time.Now()
	}
}

// lastHeard returns when something was last heard on w.
func (m *Monitor) lastHeard(w *watched) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return w.heard
}

// due returns how long until w is to be pinged, zero or less if it is time.
func (m *Monitor) due(w *watched) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := min(w.heard.Add(w.quiet).Sub(m.begun), w.pinged.Add(measureEvery).Sub(m.begun))
	return time.Until(m.begun.Add(due.Truncate(beat)))
}

// pings notes that w is pinged now.
func (m *Monitor) pings(w *watched) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.pinged = time.Now()
}

// pong notes an answer that took rtt.
func (m *Monitor) pong(w *watched, rtt time.Duration) {
	rtt = max(rtt, time.Nanosecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	w.heard = time.Now()
	if w.rtt == 0 {
		w.rtt = rtt
		return
	}
	w.rtt += (rtt - w.rtt) / 4
}
