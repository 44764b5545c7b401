// Package gate shows a libp2p host as if only admitted peers existed.
//
// Protocols that know nothing of admission (GossipSub, Kademlia, our own
// streams) run on [Gate.Host], a host with an event bus and a network view of
// its own. A peer appears there when [Gate.Admit] was called for it and
// disappears with its last connection; strangers never reach a handler, never
// get a stream, never cause an event. "Connected" is a fact of the real host,
// "admitted" one of the gate: they are never mixed up here.
//
// What the protocols above rely on, and the gate therefore keeps:
//
//   - State first, then events: who hears of a peer finds it connected.
//   - Per peer, events come in order: connected, identified, protocol changes,
//     not connected. Across peers there is no order. Changes that overtake a
//     slow subscriber are merged; an admission that ended and came again is
//     always told as both.
//   - An admission ends with the first of its connections that carried streams,
//     and the others are closed with it. GossipSub, whose stream ends while the
//     peer is still connected, forgets what the peer subscribed to, and the peer,
//     who may have noticed nothing, does not tell it again: so both start anew.
//   - An inbound stream that comes before the peer's admission is held for a
//     moment and then served, not reset: both libraries give a peer up for good
//     whose streams fail. Opening a stream waits likewise.
//
// All methods are safe for concurrent use.
package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// Errors of opening streams and of waiting for an admission.
var (
	// ErrNotAdmitted: the peer is not (or no longer) admitted.
	ErrNotAdmitted = errors.New("peer is not admitted")
	// ErrClosed: the gate is closed.
	ErrClosed = errors.New("gate is closed")
)

// Options tunes a gate. Zero fields are defaults.
type Options struct {
	// Logger gets one debug line a held, served or refused stream; nil is silent.
	Logger *slog.Logger
	// HoldTime is how long an inbound stream waits for its peer's admission
	// (default 5 s).
	HoldTime time.Duration
	// HoldPerPeer and HoldTotal bound the streams held at once (default 8, 256).
	// What is above is reset and counted. Peers that were admitted before do not
	// count towards HoldTotal: strangers cannot fill it against them.
	HoldPerPeer, HoldTotal int
	// WaitTime bounds how long NewStream and Connect wait for an admission
	// (default 10 s); the caller's context may end the wait earlier.
	WaitTime time.Duration
	// Connected is told of each connection of a peer that is not admitted, when
	// the gate knows of it. It must not block.
	Connected func(peer.ID)
	// MayDial is asked before the facade dials; an error refuses the dial.
	MayDial func(peer.ID) error
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HoldTime == 0 {
		o.HoldTime = 5 * time.Second
	}
	if o.HoldPerPeer == 0 {
		o.HoldPerPeer = 8
	}
	if o.HoldTotal == 0 {
		o.HoldTotal = 256
	}
	if o.WaitTime == 0 {
		o.WaitTime = 10 * time.Second
	}
	if o.Connected == nil {
		o.Connected = func(peer.ID) {}
	}
	if o.MayDial == nil {
		o.MayDial = func(peer.ID) error { return nil }
	}
}

// A Gate decides which peers of a real host exist on its facade.
type Gate struct {
	real host.Host
	opts Options
	log  *slog.Logger

	facade *facade
	view   *view
	bus    event.Bus
	emit   emitters
	sub    event.Subscription // of the real host's bus

	mu      sync.Mutex
	peers   map[peer.ID]*entry // connected peers, admitted or not
	known   map[peer.ID]bool   // admitted at some time since start; bounded by maxKnown
	held    int                // streams of strangers held now
	epoch   uint64             // admissions so far
	follow  map[*Follower]struct{}
	reach   *network.Reachability           // to be emitted, if not nil
	addrs   *event.EvtLocalAddressesUpdated // to be emitted, if not nil
	refused atomic.Uint64
	holds   atomic.Uint64

	feed   *Follower // what the emit loop has to tell
	done   chan struct{}
	closed sync.Once
	wg     sync.WaitGroup
}

// maxKnown bounds the memory of peers admitted before: more than the nodes of
// any site.
const maxKnown = 16384

// busBuffer is the length of the gate's subscription to the real host's bus.
// The intake never blocks for long, so this only smooths bursts.
const busBuffer = 1024

// entry is one connected peer. Guarded by Gate.mu.
type entry struct {
	conns      map[network.Conn]bool // true: it carried streams of the facade
	admitted   uint64                // number of this admission, from 1; 0 = not admitted
	refused    bool                  // the hello failed for good: those who wait need not
	deaf       bool                  // an early stream of this peer was reset
	torn       []network.Conn        // to be closed: they outlived one that carried streams
	identified int                   // identify events so far
	identify   event.EvtPeerIdentificationCompleted
	held       int
	changed    chan struct{} // closed and replaced when admitted, refused or gone
}

func (e *entry) wake() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// New puts a gate before real, which must not listen or dial yet: connections
// made before are not seen. The gate does not own real: close the gate first,
// then the host. It starts two goroutines that Close waits for.
func New(real host.Host, opts Options) (*Gate, error) {
	opts.setDefaults()
	g := &Gate{
		real: real, opts: opts, log: opts.Logger,
		bus:    eventbus.NewBus(),
		peers:  make(map[peer.ID]*entry),
		known:  make(map[peer.ID]bool),
		follow: make(map[*Follower]struct{}),
		done:   make(chan struct{}),
	}
	g.view = &view{Network: real.Network(), g: g, notifiees: make(map[network.Notifiee]struct{})}
	g.facade = &facade{Host: real, g: g}
	g.feed = g.newFollower()
	if err := g.emit.open(g.bus); err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	sub, err := real.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted),
		new(event.EvtPeerIdentificationFailed),
		new(event.EvtPeerProtocolsUpdated),
		new(event.EvtLocalAddressesUpdated),
	}, eventbus.BufSize(busBuffer), eventbus.Name("parley-gate"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gate: %w", err), g.emit.close())
	}
	g.sub = sub
	real.Network().Notify((*connWatch)(g))
	g.wg.Go(g.intake)
	g.wg.Go(g.emitLoop)
	return g, nil
}

// Host returns the facade: a host on which only admitted peers exist.
// Its Close does nothing.
func (g *Gate) Host() host.Host { return g.facade }

// Close ends all waits, resets held streams and stops the gate's goroutines.
// The facade's subscribers must go on reading until then.
func (g *Gate) Close() error {
	g.closed.Do(func() {
		close(g.done)
		g.real.Network().StopNotify((*connWatch)(g))
		_ = g.sub.Close()
	})
	g.wg.Wait()
	return nil
}

// SetReachability tells the facade's protocols whether this node serves them
// (public) or only asks (private). Late subscribers hear the last value.
func (g *Gate) SetReachability(r network.Reachability) {
	g.mu.Lock()
	g.reach = &r
	g.mu.Unlock()
	g.feed.poke()
}

// Stats counts what the gate did since it was made.
type Stats struct {
	Held    uint64 // inbound streams that waited for an admission
	Refused uint64 // inbound streams reset because none came, or too many waited
}

// Stats returns the counts so far.
func (g *Gate) Stats() Stats {
	return Stats{Held: g.holds.Load(), Refused: g.refused.Load()}
}
