package chat

import (
	"cmp"
	"context"
	"iter"
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
		if !r.m.registry.isRevoked(m.Author) {
			members = append(members, r.member(m.Author))
		}
	}
	for _, p := range r.m.presence.Load().InRoom(r.key) {
		if _, known := r.membership(p.Author); !known && !r.m.registry.isRevoked(p.Author) {
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

// heldElsewhere says whether there are other members, heard of lately, and up to
// which number some of them holds own events.
func (r *Room) heldElsewhere() (others bool, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for author := range r.othersLocked() {
		others, seq = true, max(seq, r.holds.members[author].seq)
	}
	return others, seq
}

// othersLocked are the members heard of lately, oneself left out.
func (r *Room) othersLocked() iter.Seq[event.Author] {
	now, p := time.Now(), r.m.presence.Load()
	return func(yield func(event.Author) bool) {
		for _, m := range r.view.Members() {
			if m.Author == r.m.self || r.m.registry.isRevoked(m.Author) {
				continue
			}
			signal, _ := p.Peer(m.Author)
			if now.Sub(signal.Heard) > heardOf && event.Ahead(r.m.node.Now(), r.heard[m.Author]) < -heardOf {
				continue
			}
			if !yield(m.Author) {
				return
			}
		}
	}
}

// state says by how many members, of those heard of lately, the own event with
// this seq is known to be held.
func (r *Room) state(seq uint64) string {
	r.checkForks()
	others, holders := 0, 0
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq > r.holds.most { // a busy sender's own messages, while nobody has told of them
		return StateQueued
	}
	for author := range r.othersLocked() {
		others++
		if r.holds.has(author, seq) {
			holders++
		}
	}
	if holders == 0 {
		return StateQueued
	}
	return heldBy(holders, others)
}
