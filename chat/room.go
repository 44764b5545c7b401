package chat

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/membership"
)

// Room is a public room, joined now or once. It stays valid until the
// Messenger is closed.
type Room struct {
	conversation
	name string
	key  string // comparison key

	mu     sync.Mutex
	joined bool
	rep    *delivery.Log // nil until joined; stopped after leaving
	view   *membership.View
	heard  map[event.Author]event.HLC // newest event of each member
	holds  *holds

	unsure atomic.Bool // own events came from outside: the chain may have forked
}

// newRoom reads who is in the room from what is stored of it.
func (m *Messenger) newRoom(ctx context.Context, name, key string) (*Room, error) {
	r := &Room{name: name, key: key, holds: newHolds(m.self)}
	r.conversation = conversation{m, event.PublicRoomLog(m.node.Network().ID, key), r}
	if err := r.readMembers(ctx); err != nil {
		return nil, err
	}
	return r, r.recallHolds(ctx)
}

// readMembers makes the view of who is in the room of what is stored. What is
// stored meanwhile may be taken in twice, which changes nothing.
func (r *Room) readMembers(ctx context.Context) error {
	r.mu.Lock()
	r.view, r.heard = membership.New(), make(map[event.Author]event.HLC)
	r.mu.Unlock()
	for e, err := range r.m.store.Control(ctx, r.log) {
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.view.Apply(&e.Event)
		r.heard[e.Event.Author] = max(r.heard[e.Event.Author], e.Event.HLC)
		r.mu.Unlock()
	}
	return nil
}

// Name returns the name as it was joined first.
func (r *Room) Name() string { return r.name }

func (r *Room) title() string { return fmt.Sprintf("the room %q", r.name) }

func (r *Room) open() error {
	if !r.Joined() {
		return ErrNotJoined.Withf("you are not in the room %q", r.name)
	}
	return nil
}

func (r *Room) writer() (*delivery.Log, error) { return r.replica(), nil }

func (r *Room) label(msg *Message, author event.Author) {
	msg.Room, msg.Nick = r.name, r.m.nickOf(author, r)
	if msg.Self {
		msg.State = r.state(msg.Seq)
	}
}

// Joined reports whether the room is joined now.
func (r *Room) Joined() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joined
}

func (r *Room) setJoined(joined bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joined = joined
}

// replica returns the replication of the room; it is stopped if the room was
// left.
func (r *Room) replica() *delivery.Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rep
}

// start begins replication.
func (r *Room) start() error {
	rep, err := r.m.delivery.Join(r.log)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.rep = rep
	r.mu.Unlock()
	r.m.node.Table().Provide(r.log)
	return nil
}

// stop is the opposite of start.
func (r *Room) stop() {
	r.m.node.Table().Withdraw(r.log)
	r.m.delivery.Leave(r.log)
	r.m.signals.Leave(r.log)
	r.m.listeners.end(r.log)
}

// introduce writes a profile event unless the last one still holds.
func (r *Room) introduce(ctx context.Context) error {
	nick := r.m.ownNick()
	r.mu.Lock()
	self, ok := r.view.Member(r.m.self)
	r.mu.Unlock()
	if ok && self.In && self.Nick == nick {
		return nil
	}
	return r.profile(ctx)
}

// profile writes a profile event: the act of joining, or of being called so.
func (r *Room) profile(ctx context.Context) error {
	payload, err := event.Profile{Nick: r.m.ownNick()}.Encode()
	if err != nil {
		return err
	}
	return r.write(ctx, delivery.Draft{Kind: event.KindProfile, Payload: payload})
}

// write writes an event that changes who is in the room. Once it is queued it
// waits whatever becomes of ctx: what is written and what is remembered must
// not differ.
func (r *Room) write(ctx context.Context, d delivery.Draft) error {
	p, err := r.replica().Submit(ctx, d)
	if err == nil {
		_, err = p.Wait(context.WithoutCancel(ctx))
	}
	return r.m.stopped(err)
}

// stored brings what is known of the room up to date with a stored batch. It
// is called by replication, by several goroutines.
func (m *Messenger) stored(b *event.Batch, fresh []bool) {
	if b.Log() == m.registry.log {
		m.registry.stored(b, fresh)
		return
	}
	r := m.roomOf(b.Log())
	if r == nil {
		if d := m.direct.Load(); d != nil {
			d.Stored(b)
		}
		return
	}
	last := &b.Events[len(b.Events)-1]
	changed := false
	r.mu.Lock()
	if last.Author == m.self && b.Events[0].Seq <= r.holds.last.seq {
		r.unsure.Store(true)
	}
	r.holds.add(b)
	for i := range b.Events {
		if fresh[i] && r.view.Apply(&b.Events[i]) {
			changed = true
		}
	}
	if _, known := r.view.Member(last.Author); known {
		r.heard[last.Author] = max(r.heard[last.Author], last.HLC)
	}
	r.mu.Unlock()
	if changed {
		m.hub.put(change{kind: memberChanged, room: r, author: last.Author})
	}
	if p := m.presence.Load(); p != nil {
		p.Touch() // the heads are different
	}
}
