package chat

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// maxRooms bounds the rooms that are joined at a time.
const maxRooms = 1000

// roomKey returns the comparison key of a name, or ErrRoomName that says why
// there is none.
func roomKey(name string) (string, error) {
	key, err := event.RoomKey(name)
	if err != nil {
		why := strings.TrimPrefix(err.Error(), event.ErrRoomName.Error()+": ")
		return "", ErrRoomName.Withf("%.80q cannot name a room: %s", name, why)
	}
	return key, nil
}

// Join joins the room of that name, 1 to 64 characters, and remembers it; names
// that differ in capitals or width alone name one room. At most 1,000 are
// joined at a time. Joining a joined room changes nothing. Errors: ErrRoomName, ErrRooms, ErrClosed, store errors.
func (m *Messenger) Join(ctx context.Context, name string) (*Room, error) {
	key, err := roomKey(name)
	if err != nil {
		return nil, err
	}
	end, err := m.change(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	r, err := m.roomFor(ctx, name, key)
	if err != nil || r.Joined() {
		return r, err
	}
	if len(m.joinedRooms()) >= maxRooms {
		return nil, ErrRooms
	}
	if err := r.start(); err != nil {
		return nil, m.stopped(err)
	}
	r.setJoined(true)
	if err := m.saveRooms(); err != nil {
		return nil, errors.Join(err, m.forget(r))
	}
	if err := r.introduce(ctx); err != nil {
		return nil, errors.Join(err, m.forget(r))
	}
	m.joined(r)
	return r, nil
}

// joined tells the network, and asks some who are in the room for what was
// said there.
func (m *Messenger) joined(r *Room) {
	p := m.presence.Load()
	p.Touch()
	asked := 0
	for _, member := range p.InRoom(r.key) {
		if member.Online && asked < 3 {
			r.replica().Sync(wire.PeerID(member.Author))
			asked++
		}
	}
	m.hub.put(change{kind: roomsChanged})
}

// forget undoes a join that failed half way.
func (m *Messenger) forget(r *Room) error {
	r.setJoined(false)
	r.stop()
	return m.saveRooms()
}

// roomFor returns the room of a key and makes it if it is new here, within a
// change.
func (m *Messenger) roomFor(ctx context.Context, name, key string) (*Room, error) {
	m.mu.Lock()
	r := m.rooms[key]
	m.mu.Unlock()
	if r != nil {
		return r, nil
	}
	r, err := m.newRoom(ctx, name, key)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rooms[key], m.byLog[r.log] = r, &r.conversation
	return r, nil
}

// Leave writes that one left, ends the subscription and forgets the room for
// the next start; its history stays readable. Errors: ErrRoomName,
// ErrNotJoined, ErrClosed, store errors.
func (m *Messenger) Leave(ctx context.Context, name string) error {
	end, err := m.change(ctx)
	if err != nil {
		return err
	}
	defer end()
	r, err := m.Room(name)
	if errors.Is(err, ErrNoRoom) || err == nil && !r.Joined() {
		return ErrNotJoined.Withf("you are not in the room %q", name)
	}
	if err != nil {
		return err
	}
	r.setJoined(false) // nothing is sent after the leave event
	if err := r.write(ctx, delivery.Draft{Kind: event.KindLeave}); err != nil {
		r.setJoined(true)
		return err
	}
	r.stop()
	m.presence.Load().Touch()
	m.hub.put(change{kind: roomsChanged})
	return m.saveRooms()
}

// Room returns a room that is joined or was once. Errors: ErrRoomName,
// ErrNoRoom, ErrClosed.
func (m *Messenger) Room(name string) (*Room, error) {
	key, err := roomKey(name)
	if err != nil {
		return nil, err
	}
	if err := m.alive(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[key]
	if r == nil {
		return nil, ErrNoRoom.Withf("this node was never in the room %q", name)
	}
	return r, nil
}

// Rooms lists the rooms joined and those that others are heard to be in, by
// comparison name.
func (m *Messenger) Rooms(context.Context) ([]RoomInfo, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	p := m.presence.Load()
	infos := make(map[string]RoomInfo)
	for key, name := range p.Rooms() {
		infos[key] = RoomInfo{Name: name, Members: len(p.InRoom(key))}
	}
	for _, r := range m.joinedRooms() {
		infos[r.key] = RoomInfo{Name: r.name, Members: len(r.members()), Joined: true}
	}
	keys := make([]string, 0, len(infos))
	for key := range infos {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := make([]RoomInfo, 0, len(keys))
	for _, key := range keys {
		out = append(out, infos[key])
	}
	return out, nil
}

// joinedRooms returns the rooms joined now, by comparison key.
func (m *Messenger) joinedRooms() []*Room {
	m.mu.Lock()
	rooms := make([]*Room, 0, len(m.rooms))
	for _, r := range m.rooms {
		if r.Joined() {
			rooms = append(rooms, r)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(rooms, func(a, b *Room) int { return cmp.Compare(a.key, b.key) })
	return rooms
}

// roomOf returns the room of a log, nil if it is none.
func (m *Messenger) roomOf(log event.LogID) *Room {
	c := m.conversationOf(log)
	if c == nil {
		return nil
	}
	r, _ := c.of.(*Room)
	return r
}

// stopped gives the errors of replication their code.
func (m *Messenger) stopped(err error) error {
	switch {
	case err == nil:
		return nil
	case m.ctx.Err() != nil && errors.Is(err, delivery.ErrStopped):
		return ErrClosed
	case errors.Is(err, delivery.ErrStopped):
		return ErrNotJoined
	case errors.Is(err, event.ErrTooLarge):
		return ErrTooLong
	default:
		return err
	}
}
