package chat

import (
	"context"
	"errors"
	"iter"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/appsignal"
	"github.com/parley-chat/parley/internal/direct"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// MaxSignal bounds the data of a signal, in bytes.
const MaxSignal = appsignal.MaxData

// Signal is what an application of somebody else told those of others in
// passing. It is not stored, has no order, comes once or not at all.
type Signal struct {
	Room   string  // name of the room as it was joined here; empty in a direct chat
	Direct peer.ID // the other side of a direct chat; empty in a room
	Author peer.ID // who said it: proven
	Nick   string  // the author's name as of now; never empty
	Type   string  // the application's own, such as "com.example.cursor"
	Data   []byte  // at most MaxSignal bytes of the application's own
}

// Signal tells the applications that listen now, and nobody later: who is
// typing, where a cursor is. typ is the application's own, as a message's; data
// has at most MaxSignal bytes and may be nil. Who sends has 20 signals a
// second, 40 at once, in all rooms and chats together. A nil error promises
// nothing but that it is on its way. Errors: ErrSignal, ErrOften, ErrNotJoined,
// ErrPeer, ErrClosed, ctx's; in a direct chat ErrAway when the peer is not
// there, or neither has ever written to the other.
func (c *conversation) Signal(ctx context.Context, typ string, data []byte) error {
	if err := c.m.alive(); err != nil {
		return err
	}
	if err := c.of.open(); err != nil {
		return err
	}
	if appsignal.Check(typ, data) != nil {
		return ErrSignal
	}
	return c.m.signalFault(c.of.signal(ctx, typ, data))
}

// Signals yields the signals of that type that others send from now on, until
// ctx ends, which is no error. It ends with ErrNotJoined when the room is not
// joined or is left, with ErrClosed, ErrSignal or ErrPeer. Other types, and
// ignored peers, are passed over. Each listener has a queue of its own: what
// comes while 256 wait is dropped.
func (c *conversation) Signals(ctx context.Context, typ string) iter.Seq2[Signal, error] {
	return func(yield func(Signal, error) bool) {
		if err := c.hearSignals(ctx, typ, yield); err != nil {
			yield(Signal{}, err)
		}
	}
}

// hearSignals returns why there are no more, nil if that is the reader's wish.
func (c *conversation) hearSignals(ctx context.Context, typ string, yield func(Signal, error) bool) error {
	if !event.ValidType(typ) {
		return ErrSignal
	}
	l := c.m.listeners.add(c.log, typ)
	defer c.m.listeners.remove(c.log, l)
	if err := c.m.alive(); err != nil {
		return err
	}
	if err := c.of.open(); err != nil { // looked at after add: that it is left later is told to l
		return err
	}
	stop, err := c.of.listen()
	if err != nil {
		return c.m.signalFault(err)
	}
	defer stop()
	for {
		select {
		case <-l.heard.Wake():
		case <-ctx.Done():
			return nil
		case <-l.ended:
			return ErrNotJoined
		case <-c.m.ctx.Done():
			return ErrClosed
		}
		signals, _ := l.heard.TakeAll(nil)
		for _, s := range signals {
			if !yield(s, nil) {
				return nil
			}
		}
	}
}

// openSignals makes what carries them. It is there before direct chats are.
func (m *Messenger) openSignals(first uint64, reg prometheus.Registerer) (err error) {
	network := m.node.Network()
	m.signals, err = appsignal.New(appsignal.Config{
		PubSub: m.node.PubSub(), Tag: network.Tag, Network: network.ID, Author: m.self, Sign: m.node.Sign,
		FirstSeq: first, Counts: m.mayStand, Now: m.node.Now, Logger: m.log, Registerer: reg,
		Heard: func(log event.LogID, s *appsignal.Signal) { m.passOn(log, s.Author, s.Type, s.Data) },
	})
	return err
}

// mayStand reports whether an author is in a room, by events or by presence. It
// is called by gossip.
func (m *Messenger) mayStand(log event.LogID, author event.Author) bool {
	r := m.roomOf(log)
	if r == nil {
		return false
	}
	if member, known := r.membership(author); known {
		return member.In
	}
	p := m.presence.Load()
	return p != nil && p.IsIn(r.key, author)
}

// signalled takes in a signal of the other of a direct chat. It is called by
// direct chats.
func (m *Messenger) signalled(author event.Author, body []byte) bool {
	typ, data, err := appsignal.ParseFrame(body)
	if err != nil || !m.signals.Take(author) {
		return false
	}
	m.passOn(event.DirectLog(m.node.Network().ID, m.self, author), author, typ, data)
	return true
}

// passOn hands a signal to those who listen for its type.
func (m *Messenger) passOn(log event.LogID, author event.Author, typ string, data []byte) {
	c := m.conversationOf(log)
	if c == nil || m.ignores(author) {
		return
	}
	s := Signal{Author: wire.PeerID(author), Type: typ, Data: data}
	switch of := c.of.(type) {
	case *Room:
		s.Room, s.Nick = of.name, m.nickOf(author, of)
	case *Direct:
		s.Direct, s.Nick = of.peer, m.nickOf(author, nil)
	}
	m.listeners.put(log, s)
}

// signalFault gives errors of signals their code.
func (m *Messenger) signalFault(err error) error {
	switch {
	case errors.Is(err, appsignal.ErrOften), errors.Is(err, direct.ErrOften):
		return ErrOften
	case errors.Is(err, appsignal.ErrClosed):
		return ErrClosed
	case errors.Is(err, direct.ErrAway):
		return ErrAway
	default:
		return err
	}
}

func (r *Room) signal(ctx context.Context, typ string, data []byte) error {
	return r.m.signals.Send(ctx, r.log, typ, data)
}

func (r *Room) listen() (stop func(), err error) { return r.m.signals.Listen(r.log) }

func (d *Direct) signal(_ context.Context, typ string, data []byte) error {
	if d.author == d.m.self {
		return nil // nobody else is there
	}
	p, err := d.m.direct.Load().Find(d.author)
	if err != nil {
		return d.m.directFault(err)
	}
	if p == nil || !p.Here() {
		return ErrAway
	}
	if !d.m.signals.May() {
		return ErrOften
	}
	return p.Signal(appsignal.Frame(typ, data))
}

func (*Direct) listen() (stop func(), err error) { return func() {}, nil }
