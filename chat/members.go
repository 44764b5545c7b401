package chat

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/membership"
	"github.com/parley-chat/parley/internal/wire"
)

// heardOf is how long a member counts in "held N/M" after the last sign of him.
const heardOf = 30 * 24 * time.Hour

// Members lists who is in the room: those whose membership events say so and
// those of whom nothing is stored whose presence says so; by nick. Errors:
// ErrClosed.
func (r *Room) Members(context.Context) ([]Member, error) {
	if err := r.m.alive(); err != nil {
		return nil, err
	}
	members := r.members()
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Nick, b.Nick), cmp.Compare(a.Peer, b.Peer))
	})
	return members, nil
}

// members returns them in no order.
func (r *Room) members() []Member {
	r.mu.Lock()
	in := r.view.Members()
	r.mu.Unlock()
	members := make([]Member, 0, len(in))
	for _, m := range in {
		members = append(members, r.member(m.Author))
	}
	for _, p := range r.m.presence.Load().InRoom(r.key) {
		if _, known := r.membership(p.Author); !known {
			members = append(members, r.member(p.Author))
		}
	}
	return members
}

func (r *Room) membership(author event.Author) (membership.Member, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view.Member(author)
}

// member describes one author as a member.
func (r *Room) member(author event.Author) Member {
	self := author == r.m.self
	p, _ := r.m.presence.Load().Peer(author)
	return Member{
		Peer: wire.PeerID(author), Nick: r.m.nickOf(author, r),
		Online: self || p.Online, Self: self,
	}
}

// state says by how many members, of those heard of lately, the own event with
// this seq is known to be held.
func (r *Room) state(seq uint64) string {
	r.checkForks()
	others, now := 0, time.Now()
	holders := 0
	p := r.m.presence.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.view.Members() {
		if m.Author == r.m.self {
			continue
		}
		signal, _ := p.Peer(m.Author)
		if now.Sub(signal.Heard) > heardOf && event.Ahead(r.m.node.Now(), r.heard[m.Author]) < -heardOf {
			continue
		}
		others++
		if r.holds.has(m.Author, seq) {
			holders++
		}
	}
	if holders == 0 {
		return StateQueued
	}
	return heldBy(holders, others)
}
