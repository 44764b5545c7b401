package chat

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/direct"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/wire"
)

// Direct is the chat with one peer, who may be absent or never met: what is
// sent waits for him. With oneself it is a notebook. It stays valid until the
// Messenger is closed.
type Direct struct {
	conversation
	peer   peer.ID
	author event.Author
	bad    error // why there can be no chat with this peer
}

// openDirect starts the direct chats that are remembered.
func (m *Messenger) openDirect(reg prometheus.Registerer) error {
	network := m.node.Network()
	s, err := direct.New(direct.Config{
		Host: m.node.Host(), Store: m.store, Delivery: m.delivery,
		Tag: network.Tag, Network: network.ID, Author: m.self,
		Seek: m.node.Seek, Begun: m.directBegun, Changed: m.directChanged, Signalled: m.signalled,
		Logger: m.log, Registerer: reg,
	})
	if err != nil {
		return err
	}
	m.direct.Store(s)
	for _, a := range s.Chats() {
		m.directBegun(a)
	}
	return nil
}

// directBegun makes a chat's messages known as such.
func (m *Messenger) directBegun(a event.Author) {
	d := m.Direct(wire.PeerID(a))
	m.mu.Lock()
	m.byLog[d.log] = &d.conversation
	m.mu.Unlock()
	m.noteNick(a)
}

// noteNick remembers what the other of a direct chat is called.
func (m *Messenger) noteNick(a event.Author) {
	p := m.presence.Load()
	if p == nil {
		return
	}
	if known, _ := p.Peer(a); shown(known.Nick) != "" {
		m.direct.Load().Called(a, known.Nick)
	}
}

// directChanged tells that own messages came further.
func (m *Messenger) directChanged(a event.Author, at direct.Place, _ string) {
	m.hub.put(change{
		kind: stateChanged, direct: m.Direct(wire.PeerID(a)), author: a, reach: reach{at.Seq, at.ID},
	})
}

// Direct returns the chat with a peer. A peer that can have none fails when it
// is used, with ErrPeer.
func (m *Messenger) Direct(p peer.ID) *Direct {
	d := &Direct{peer: p}
	a, err := wire.Author(p)
	if err != nil {
		d.bad = ErrPeer.With(err)
	}
	d.author = a
	d.conversation = conversation{m, event.DirectLog(m.node.Network().ID, m.self, a), d}
	return d
}

// Peer returns the other side.
func (d *Direct) Peer() peer.ID { return d.peer }

func (d *Direct) title() string { return fmt.Sprintf("the chat with %s", d.m.Nick(d.peer)) }

func (d *Direct) open() error { return d.bad }

func (d *Direct) writer() (*delivery.Log, error) {
	p, err := d.m.direct.Load().Begin(d.author)
	if err != nil {
		return nil, d.m.directFault(err)
	}
	return p.Log(), nil
}

// directFault gives errors of direct chats their code.
func (m *Messenger) directFault(err error) error {
	switch {
	case errors.Is(err, direct.ErrTooMany):
		return ErrDirects
	case errors.Is(err, direct.ErrClosed), errors.Is(err, delivery.ErrStopped):
		return ErrClosed
	default:
		return err
	}
}

func (d *Direct) label(msg *Message, author event.Author) {
	msg.Direct, msg.Nick = d.peer, d.m.nickOf(author, nil)
	if msg.Self {
		msg.State = d.state(msg.Seq, msg.Fork)
	}
}

func (d *Direct) state(seq uint64, forks bool) string {
	state, err := d.m.direct.Load().State(d.author, seq, forks)
	if err != nil {
		return StateQueued
	}
	return state
}

// MarkRead says that a person was shown the peer's messages up to this one. The
// peer is told at once, or when it is met next. Errors: ErrNoMessage, ErrPeer,
// ErrClosed, store errors.
func (d *Direct) MarkRead(ctx context.Context, id ID) error {
	if err := d.m.alive(); err != nil {
		return err
	}
	if d.bad != nil {
		return d.bad
	}
	at, err := d.place(&id)
	if err != nil {
		return err
	}
	e, _, err := d.m.store.Get(id)
	if err != nil {
		return err
	}
	if e.Event.Author != d.author { // an own one: what the peer said before it
		before := eventlog.Query{Log: d.log, Before: at, Reverse: true}
		found := false
		for e, err = range d.m.store.History(ctx, before) {
			if found = err == nil && e.Event.Author == d.author; found || err != nil {
				break
			}
		}
		if err != nil || !found {
			return err
		}
	}
	if d.author == d.m.self {
		return nil
	}
	p, err := d.m.direct.Load().Find(d.author)
	if err != nil {
		return d.m.directFault(err)
	}
	if p != nil {
		p.MarkRead(direct.Place{Seq: e.Event.Seq, ID: e.Event.ID})
	}
	return nil
}
