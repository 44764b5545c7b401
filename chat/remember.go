package chat

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Keys of what is remembered in the store.
const (
	metaRooms   = "chat/rooms"   // JSON, []savedRoom
	metaNick    = "chat/nick"    // text
	metaIgnored = "chat/ignored" // JSON, []string of peer IDs
	metaSignals = "chat/signals" // uvarint, all sequence numbers of signals are below it
)

// savedRoom is a room that is joined or was once.
type savedRoom struct {
	Name   string `json:"name"`
	Joined bool   `json:"joined"`
}

// recall reads what was remembered.
func (m *Messenger) recall(ctx context.Context) error {
	nick, err := m.store.Meta(metaNick)
	if err != nil {
		return err
	}
	m.nick = string(nick)
	m.node.Table().SetNick(m.nick)
	if err := m.recallIgnored(); err != nil {
		return err
	}
	var saved []savedRoom
	if err := m.recallJSON(metaRooms, &saved); err != nil {
		return err
	}
	return m.recallRooms(ctx, saved)
}

// readers is how many rooms are read at a time when the store is opened: on a
// cold disk each waits for it.
const readers = 8

// recallRooms reads who is in the rooms that were remembered.
func (m *Messenger) recallRooms(ctx context.Context, saved []savedRoom) error {
	var g errgroup.Group
	g.SetLimit(readers)
	for _, s := range saved {
		key, err := event.RoomKey(s.Name)
		if err != nil {
			continue // of a stricter rule than the one it was saved under
		}
		g.Go(func() error {
			r, err := m.newRoom(ctx, s.Name, key)
			if err != nil {
				return err
			}
			r.joined = s.Joined
			m.mu.Lock()
			defer m.mu.Unlock()
			m.rooms[key], m.byLog[r.log] = r, &r.conversation
			return nil
		})
	}
	return g.Wait()
}

func (m *Messenger) recallIgnored() error {
	var ids []string
	if err := m.recallJSON(metaIgnored, &ids); err != nil {
		return err
	}
	for _, s := range ids {
		id, err := peer.Decode(s)
		if err != nil {
			continue
		}
		if author, err := wire.Author(id); err == nil {
			m.ignored[author] = struct{}{}
		}
	}
	return nil
}

func (m *Messenger) recallJSON(key string, v any) error {
	data, err := m.store.Meta(key)
	if err != nil || data == nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// saveRooms remembers the rooms, within a change.
func (m *Messenger) saveRooms() error {
	m.mu.Lock()
	saved := make([]savedRoom, 0, len(m.rooms))
	for _, r := range m.rooms {
		saved = append(saved, savedRoom{r.name, r.Joined()})
	}
	m.mu.Unlock()
	slices.SortFunc(saved, func(a, b savedRoom) int { return cmp.Compare(a.Name, b.Name) })
	return m.saveJSON(metaRooms, saved)
}

func (m *Messenger) saveIgnored() error {
	var ids []string
	for _, p := range m.Ignored() {
		ids = append(ids, p.String())
	}
	return m.saveJSON(metaIgnored, ids)
}

func (m *Messenger) saveJSON(key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return m.store.SetMeta(key, data)
}

// leaseSignals returns a sequence number above all that were used, and
// remembers a bound that this run will not reach: a signal of presence a second
// for 30 years, or 20 of applications for a year and a half.
func (m *Messenger) leaseSignals() (uint64, error) {
	const lease = 1 << 30
	data, err := m.store.Meta(metaSignals)
	if err != nil {
		return 0, err
	}
	last, _ := binary.Uvarint(data)
	first := max(last, uint64(time.Now().UnixMilli()))
	return first, m.store.SetMeta(metaSignals, binary.AppendUvarint(nil, first+lease))
}
