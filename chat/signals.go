package chat

import (
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/presence"
	"github.com/parley-chat/parley/internal/wire"
)

// local is what own signals tell. It is called by presence.
func (m *Messenger) local() presence.Local {
	l := presence.Local{Nick: m.ownNick()}
	for _, r := range m.joinedRooms() {
		room, err := m.standing(r)
		if err != nil {
			m.log.Warn("room left out of signal", "log", r.log, "err", err)
			continue
		}
		l.Rooms = append(l.Rooms, room)
	}
	return l
}

// standing tells where this node stands in a room.
func (m *Messenger) standing(r *Room) (room presence.Room, err error) {
	room.Name = r.name
	if room.Seq, _, err = m.store.Last(r.log, m.self); err != nil {
		return room, err
	}
	if room.Complete, err = m.store.Complete(r.log); err != nil {
		return room, err
	}
	heads, err := m.store.Heads(r.log)
	if err != nil {
		return room, err
	}
	for _, id := range heads[:min(len(heads), presence.MaxHeads)] {
		room.Heads = append(room.Heads, id)
	}
	if !room.Complete {
		room.Chains, err = m.chains(r)
	}
	return room, err
}

// chains tells authors how much of their chains is held here. It is told when
// an ancestor of something is missing, which is perhaps nowhere: then heads do
// not tell it.
func (m *Messenger) chains(r *Room) (out []presence.Chain, err error) {
	r.mu.Lock()
	writers := r.holds.writersToTell()
	r.mu.Unlock()
	for _, author := range writers {
		st, err := m.store.Author(r.log, author)
		if err != nil {
			return nil, err
		}
		upTo := st.LastSeq
		if len(st.Gaps) > 0 {
			upTo = st.Gaps[0].First - 1
		}
		if upTo > 0 {
			out = append(out, presence.Chain{Author: author, Seq: upTo})
		}
	}
	return out, nil
}

// heard takes a peer's signal in: heads that are not here are fetched, own
// events that it holds are noted. It is called by presence.
func (m *Messenger) heard(s *presence.Signal) {
	m.node.Table().Heard(wire.PeerID(s.Author))
	for i := range s.Rooms {
		key, err := event.RoomKey(s.Rooms[i].Name)
		if err != nil {
			continue
		}
		m.mu.Lock()
		r := m.rooms[key]
		m.mu.Unlock()
		if r != nil {
			m.heardIn(r, s.Author, &s.Rooms[i])
		}
	}
}

func (m *Messenger) heardIn(r *Room, author event.Author, told *presence.Room) {
	if rep := m.delivery.Log(r.log); rep != nil && len(told.Heads) > 0 {
		heads := make([]event.ID, len(told.Heads))
		for i := range told.Heads {
			heads[i] = told.Heads[i]
		}
		rep.Told(wire.PeerID(author), heads)
	}
	r.mu.Lock()
	now, changed := r.holds.told(author, told.Heads, told.Complete)
	for _, c := range told.Chains {
		if c.Author == m.self {
			now, changed = r.holds.toldChain(author, c.Seq)
		}
	}
	r.mu.Unlock()
	if changed {
		m.hub.put(change{kind: stateChanged, room: r, reach: now})
	}
}

// peerChanged is called by presence when what it knows of a peer is different.
func (m *Messenger) peerChanged(author event.Author) {
	m.noteNick(author)
	m.hub.put(change{kind: peerChanged, author: author})
	m.hub.put(change{kind: roomsChanged})
	m.mu.Lock()
	rooms := make([]*Room, 0, 4)
	for _, r := range m.rooms {
		rooms = append(rooms, r)
	}
	m.mu.Unlock()
	for _, r := range rooms {
		r.mu.Lock()
		member, ok := r.view.Member(author)
		r.mu.Unlock()
		if ok && member.In {
			m.hub.put(change{kind: memberChanged, room: r, author: author})
		}
	}
}
