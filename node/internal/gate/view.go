package gate

import (
	"context"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// view is the real network with only admitted peers in it. Listening,
// addresses, resource manager and peerstore are the real ones.
type view struct {
	network.Network // the real one
	g               *Gate

	mu        sync.Mutex
	notifiees map[network.Notifiee]struct{}
}

// Close does nothing: the real network belongs to the node.
func (v *view) Close() error { return nil }

// SetStreamHandler does nothing: it would bypass the gate. Handlers are set by
// protocol, on the host.
func (v *view) SetStreamHandler(network.StreamHandler) {}

func (v *view) Peers() []peer.ID { return v.g.Peers() }

func (v *view) Connectedness(p peer.ID) network.Connectedness {
	if !v.g.Admitted(p) {
		return network.NotConnected
	}
	return v.Network.Connectedness(p)
}

func (v *view) ConnsToPeer(p peer.ID) []network.Conn {
	if !v.g.Admitted(p) {
		return nil
	}
	return v.Network.ConnsToPeer(p)
}

func (v *view) Conns() []network.Conn {
	var out []network.Conn
	for _, p := range v.g.Peers() {
		out = append(out, v.Network.ConnsToPeer(p)...)
	}
	return out
}

// DialPeer connects and waits for the admission.
func (v *view) DialPeer(ctx context.Context, p peer.ID) (network.Conn, error) {
	if err := v.g.ready(ctx, p); err != nil {
		return nil, err
	}
	return v.Network.DialPeer(ctx, p)
}

// NewStream opens a stream without a protocol to an admitted peer.
func (v *view) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	if err := v.g.ready(ctx, p); err != nil {
		return nil, err
	}
	return v.Network.NewStream(ctx, p)
}

// Notify tells n of connections of admitted peers, those that come from now on.
// Calls come one at a time, from the gate's emit loop.
func (v *view) Notify(n network.Notifiee) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notifiees[n] = struct{}{}
}

func (v *view) StopNotify(n network.Notifiee) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.notifiees, n)
}

// tellConns tells the notifiees how the connections of one peer changed.
func (v *view) tellConns(was, now []network.Conn) {
	v.mu.Lock()
	ns := make([]network.Notifiee, 0, len(v.notifiees))
	for n := range v.notifiees {
		ns = append(ns, n)
	}
	v.mu.Unlock()
	for _, n := range ns {
		for _, c := range was {
			if !slices.Contains(now, c) {
				n.Disconnected(v, c)
			}
		}
		for _, c := range now {
			if !slices.Contains(was, c) {
				n.Connected(v, c)
			}
		}
	}
}
