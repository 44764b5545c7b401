package chat

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/registry"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
)

// Register writes that a node was handed a ticket; it is on disk when it returns.
// Errors: ErrNotRegistrar, ErrClosed, store errors, ctx's.
func (r *Registry) Register(ctx context.Context, p peer.ID, zone string, short [8]byte, until time.Time, how string) error {
	key, err := wire.Author(p)
	if err != nil {
		return ErrPeer.With(err)
	}
	reg := registry.Registration{Peer: key, Zone: zone, Short: short, NotAfter: until, How: how}
	payload, err := reg.Encode()
	if err != nil {
		return ErrContent.With(err)
	}
	_, err = r.write(ctx, registry.KindRegistration, payload)
	return err
}

// Reserve returns the short address for a node in a zone, which no other node
// has, and keeps it for the node until release is called: when it is registered.
//
// spec: 11-registrars §2.3
func (r *Registry) Reserve(p peer.ID, zone string) (short [8]byte, release func(), err error) {
	key, err := wire.Author(p)
	if err != nil {
		return short, nil, ErrPeer.With(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.view.Short(key, []byte(p), zone, func(s ticket.Short) bool {
		by, taken := r.reserved[s]
		return taken && by != key
	})
	r.reserved[s] = key
	return s, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.reserved, s)
	}, nil
}

// Revoke takes a node out of the network for good: from now on nobody admits it,
// and of what it wrote that alone counts which this node has now. It is on disk
// when it returns, and in force here. reason has 1 to 256 bytes. Errors:
// ErrNotRegistrar, ErrIsRegistrar, ErrPeer, ErrReason, ErrClosed, store errors.
func (r *Registry) Revoke(ctx context.Context, p peer.ID, reason string) (ID, error) {
	key, err := wire.Author(p)
	if err != nil {
		return ID{}, ErrPeer.With(err)
	}
	if _, is := r.may.Load().member[key]; is {
		return ID{}, ErrIsRegistrar
	}
	rev := registry.Revocation{Peer: key, Reason: reason}
	if rev.Ends, err = r.m.endsOf(key); err != nil {
		return ID{}, err
	}
	payload, err := rev.Encode()
	if err != nil || reason == "" {
		return ID{}, ErrReason
	}
	id, err := r.write(ctx, registry.KindRevocation, payload)
	if err != nil {
		return ID{}, err
	}
	return id, r.follow(ctx)
}

func (r *Registry) write(ctx context.Context, kind event.Kind, payload []byte) (ID, error) {
	if !r.isMember() { // unless it was made one just now
		if err := r.follow(ctx); err != nil {
			return ID{}, err
		}
	}
	r.mu.Lock()
	replica := r.replica
	r.mu.Unlock()
	if !r.isMember() || replica == nil {
		return ID{}, ErrNotRegistrar
	}
	p, err := replica.Submit(ctx, delivery.Draft{Kind: kind, Payload: payload})
	if err != nil {
		return ID{}, r.m.stopped(err)
	}
	id, err := p.Wait(context.WithoutCancel(ctx)) // it is written, whoever waits for it
	return id, r.m.stopped(err)
}

// isMember reports whether this node is a registrar.
func (r *Registry) isMember() bool {
	_, is := r.may.Load().member[r.m.self]
	return is
}

// endsOf lists how far an author has come in each room that is known here.
func (m *Messenger) endsOf(key event.Author) (ends []registry.End, err error) {
	m.mu.Lock()
	logs := make([]event.LogID, 0, len(m.rooms))
	for _, room := range m.rooms {
		logs = append(logs, room.log)
	}
	m.mu.Unlock()
	for _, log := range logs {
		seq, id, err := m.store.Last(log, key)
		if err != nil {
			return nil, err
		}
		if seq > 0 && len(ends) < registry.MaxEnds {
			ends = append(ends, registry.End{Log: log, Place: registry.Place{Seq: seq, ID: id}})
		}
	}
	slices.SortFunc(ends, registry.End.Compare)
	return ends, nil
}
