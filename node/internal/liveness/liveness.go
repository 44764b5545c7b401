// Package liveness notices dead connections of a libp2p host.
//
// TCP and QUIC take between half a minute and many minutes to give a silent
// peer up. A [Monitor] pings every watched connection each [Interval] with
// libp2p's ping protocol and closes one from which nothing was heard for
// [Timeout]: at most 3 s after its peer died. Round-trip times come along.
//
// On a slow link a pong may wait behind a long queue of data. So anything that
// is known to come from the peer counts as life: its own pings, which the
// monitor answers in the place of libp2p's service, and what the owner reports
// with Heard.
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
	// Interval is the time between two pings of a connection.
	Interval = 800 * time.Millisecond
	// Timeout is how long nothing may be heard while a ping is out.
	Timeout = 2 * time.Second
)

// Monitor watches connections. Make one with New.
type Monitor struct {
	host host.Host
	log  *slog.Logger
	dead func(network.Conn)

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[network.Conn]*watched
	peers  map[peer.ID][]*watched
}

// watched is one connection under watch. Guarded by Monitor.mu.
type watched struct {
	conn  network.Conn
	heard time.Time
	rtt   time.Duration // smoothed; 0 = not known yet
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
		host: h, log: log, dead: dead,
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
	w := &watched{conn: c, heard: time.Now()}
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
