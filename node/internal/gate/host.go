package gate

import (
	"context"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// facade is the host that protocols get. Peerstore, identity, addresses and
// connection manager are the real ones.
type facade struct {
	host.Host // the real one
	g         *Gate
}

func (f *facade) EventBus() event.Bus      { return f.g.bus }
func (f *facade) Network() network.Network { return f.g.view }

// Mux returns the real multiplexer with handlers guarded.
func (f *facade) Mux() protocol.Switch { return mux{f.Host.Mux(), f.g} }

// Close does nothing: the real host belongs to the node.
func (f *facade) Close() error { return nil }

// Connect dials pi and waits for its admission. An error means not admitted,
// though a connection may stand.
func (f *facade) Connect(ctx context.Context, pi peer.AddrInfo) error {
	if f.g.Admitted(pi.ID) {
		return nil
	}
	if err := f.g.dial(ctx, pi); err != nil {
		return err
	}
	return f.g.Wait(ctx, pi.ID, f.g.opts.WaitTime)
}

// NewStream opens a stream to an admitted peer. It dials and waits for the
// admission if need be. Protocol negotiation is lazy in libp2p, what is written
// first goes out unasked: so nothing is opened to who is not admitted.
func (f *facade) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if err := f.g.ready(ctx, p); err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	s, err := f.Host.NewStream(network.WithNoDial(ctx, "admitted peers only"), p, ids...)
	if err != nil {
		return nil, err
	}
	if !f.g.carries(s.Conn()) { // it went in between, and this is a stranger's connection
		_ = s.Reset()
		return nil, fmt.Errorf("open stream: %w", ErrNotAdmitted)
	}
	return s, nil
}

// ready dials p and waits until it is admitted.
func (g *Gate) ready(ctx context.Context, p peer.ID) error {
	if g.Admitted(p) {
		return nil
	}
	if noDial, _ := network.GetNoDial(ctx); !noDial {
		if err := g.dial(ctx, peer.AddrInfo{ID: p}); err != nil {
			return err
		}
	}
	return g.Wait(ctx, p, g.opts.WaitTime)
}

func (g *Gate) dial(ctx context.Context, pi peer.AddrInfo) error {
	if err := g.opts.MayDial(pi.ID); err != nil {
		return err
	}
	return g.real.Connect(ctx, pi)
}

// SetStreamHandler serves admitted peers only; streams that come early are held.
func (f *facade) SetStreamHandler(id protocol.ID, h network.StreamHandler) {
	f.Host.SetStreamHandler(id, f.g.guard(h))
}

// SetStreamHandlerMatch is SetStreamHandler with a matching function.
func (f *facade) SetStreamHandlerMatch(id protocol.ID, match func(protocol.ID) bool, h network.StreamHandler) {
	f.Host.SetStreamHandlerMatch(id, match, f.g.guard(h))
}

func (g *Gate) guard(h network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		if g.enter(s) {
			h(s)
		}
	}
}

// enter holds s until its peer is admitted. If that does not come about it
// resets s and reports false.
func (g *Gate) enter(s network.Stream) bool {
	p := s.Conn().RemotePeer()
	var err error
	if !g.Admitted(p) {
		err = g.hold(p)
	}
	if err == nil && !g.carries(s.Conn()) {
		err = ErrNotAdmitted
	}
	if err == nil {
		return true
	}
	g.refused.Add(1)
	g.log.Debug("stream refused", "peer", p, "protocol", s.Protocol(), "err", err)
	_ = s.Reset()
	return false
}

// hold waits for p's admission within the bounds of Options.
func (g *Gate) hold(p peer.ID) error {
	g.mu.Lock()
	e := g.peers[p]
	if e == nil {
		g.mu.Unlock()
		return ErrNotAdmitted
	}
	if e.admitted != 0 { // just now
		g.mu.Unlock()
		return nil
	}
	stranger := !g.known[p]
	if e.held >= g.opts.HoldPerPeer || (stranger && g.held >= g.opts.HoldTotal) {
		e.deaf = true
		g.mu.Unlock()
		return fmt.Errorf("%w, and too many streams wait", ErrNotAdmitted)
	}
	e.held++
	if stranger {
		g.held++
	}
	g.mu.Unlock()
	g.holds.Add(1)

	err := g.Wait(context.Background(), p, g.opts.HoldTime)

	g.mu.Lock()
	defer g.mu.Unlock()
	e.held--
	if stranger {
		g.held--
	}
	if err != nil && e.admitted == 0 {
		e.deaf = true
	}
	return err
}

// mux guards handlers that are added to the multiplexer itself.
type mux struct {
	protocol.Switch
	g *Gate
}

func (m mux) AddHandler(id protocol.ID, h protocol.HandlerFunc) {
	m.Switch.AddHandler(id, m.guard(h))
}

func (m mux) AddHandlerWithFunc(id protocol.ID, match func(protocol.ID) bool, h protocol.HandlerFunc) {
	m.Switch.AddHandlerWithFunc(id, match, m.guard(h))
}

func (m mux) guard(h protocol.HandlerFunc) protocol.HandlerFunc {
	return func(id protocol.ID, rwc io.ReadWriteCloser) error {
		s, ok := rwc.(network.Stream)
		if !ok {
			return fmt.Errorf("%w: not a libp2p stream", ErrNotAdmitted)
		}
		if !m.g.enter(s) {
			return ErrNotAdmitted
		}
		return h(id, rwc)
	}
}
