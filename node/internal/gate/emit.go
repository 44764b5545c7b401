package gate

import (
	"errors"
	"slices"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// emitters are the facade bus's sources. Local protocol changes are not among
// them: Kademlia emits those itself, from the loop that would have to read ours.
type emitters struct {
	connectedness, identified, protocols, reachability, addresses event.Emitter
}

// open makes the emitters. What describes this node is stateful, so that who
// subscribes late hears the last value.
func (e *emitters) open(bus event.Bus) error {
	var errs []error
	open := func(to *event.Emitter, typ any, opts ...event.EmitterOpt) {
		em, err := bus.Emitter(typ, opts...)
		*to = em
		errs = append(errs, err)
	}
	open(&e.connectedness, new(event.EvtPeerConnectednessChanged))
	open(&e.identified, new(event.EvtPeerIdentificationCompleted))
	open(&e.protocols, new(event.EvtPeerProtocolsUpdated))
	open(&e.reachability, new(event.EvtLocalReachabilityChanged), eventbus.Stateful)
	open(&e.addresses, new(event.EvtLocalAddressesUpdated), eventbus.Stateful)
	return errors.Join(errs...)
}

func (e *emitters) close() error {
	var errs []error
	for _, em := range []event.Emitter{e.connectedness, e.identified, e.protocols, e.reachability, e.addresses} {
		if em != nil {
			errs = append(errs, em.Close())
		}
	}
	return errors.Join(errs...)
}

// told is what the facade's subscribers know of a peer.
type told struct {
	admission  uint64
	identified int
	protocols  []protocol.ID
	conns      []network.Conn
}

// emitLoop is the only emitter: Emit blocks on a full subscriber, so it runs
// alone and without a lock. It compares what is with what was told and tells
// the difference.
func (g *Gate) emitLoop() {
	defer func() { _ = g.emit.close() }()
	known := make(map[peer.ID]*told)
	for {
		select {
		case <-g.feed.wake:
		case <-g.done:
			return
		}
		g.tellLocal()
		for _, p := range g.feed.take() {
			g.tell(known, p)
		}
	}
}

func (g *Gate) tellLocal() {
	g.mu.Lock()
	reach, addrs := g.reach, g.addrs
	g.reach, g.addrs = nil, nil
	g.mu.Unlock()
	if reach != nil {
		_ = g.emit.reachability.Emit(event.EvtLocalReachabilityChanged{Reachability: *reach})
	}
	if addrs != nil {
		_ = g.emit.addresses.Emit(*addrs)
	}
}

// snapshot is a peer as it is now; admission 0 means not admitted.
type snapshot struct {
	admission  uint64
	identified int
	identify   event.EvtPeerIdentificationCompleted
	conns      []network.Conn
	torn       []network.Conn // to be closed now
}

// snapshot takes what is to be closed along: it is told once.
func (g *Gate) snapshot(p peer.ID) snapshot {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.peers[p]
	if e == nil {
		return snapshot{}
	}
	s := snapshot{torn: e.torn}
	e.torn = nil
	if e.admitted == 0 {
		return s
	}
	s.admission, s.identified, s.identify = e.admitted, e.identified, e.identify
	for c := range e.conns {
		s.conns = append(s.conns, c)
	}
	return s
}

func (g *Gate) tell(known map[peer.ID]*told, p peer.ID) {
	now, was := g.snapshot(p), known[p]
	if was != nil && was.admission != now.admission {
		delete(known, p)
		g.view.tellConns(was.conns, nil)
		_ = g.emit.connectedness.Emit(event.EvtPeerConnectednessChanged{Peer: p, Connectedness: network.NotConnected})
		was = nil
	}
	for _, c := range now.torn {
		g.log.Debug("a connection broke, closing the other", "peer", p)
		g.wg.Go(func() { _ = c.Close() }) // it may linger on a dead link
	}
	if now.admission == 0 {
		return
	}
	if was == nil {
		was = &told{admission: now.admission}
		known[p] = was
		_ = g.emit.connectedness.Emit(event.EvtPeerConnectednessChanged{Peer: p, Connectedness: g.real.Network().Connectedness(p)})
	}
	g.view.tellConns(was.conns, now.conns)
	was.conns = now.conns
	g.tellProtocols(was, now)
}

// tellProtocols replays the last identify event, with the protocols re-read:
// the peer may have told of changes since. Without it neither GossipSub nor
// Kademlia ever starts with the peer. Later ones are told as the real host
// tells them: what changed, then the event.
func (g *Gate) tellProtocols(was *told, now snapshot) {
	if now.identified == 0 {
		return
	}
	ps, err := g.real.Peerstore().GetProtocols(now.identify.Peer)
	if err != nil {
		ps = now.identify.Protocols
	}
	added, removed := missing(ps, was.protocols), missing(was.protocols, ps)
	was.protocols = ps
	if was.identified != 0 && len(added)+len(removed) > 0 {
		_ = g.emit.protocols.Emit(event.EvtPeerProtocolsUpdated{Peer: now.identify.Peer, Added: added, Removed: removed})
	}
	if was.identified != now.identified {
		was.identified = now.identified
		ev := now.identify
		ev.Protocols = ps
		_ = g.emit.identified.Emit(ev)
	}
}

// missing lists what is in a but not in b.
func missing(a, b []protocol.ID) []protocol.ID {
	var out []protocol.ID
	for _, id := range a {
		if !slices.Contains(b, id) {
			out = append(out, id)
		}
	}
	return out
}
