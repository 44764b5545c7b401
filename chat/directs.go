package chat

import (
	"context"
	"slices"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/wire"
)

// maxUnread bounds what is counted of a direct chat.
const maxUnread = 1000

// Directs lists the direct chats, the one with the newest message first.
// Errors: ErrClosed, store errors.
func (m *Messenger) Directs(ctx context.Context) ([]DirectInfo, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	var infos []DirectInfo
	for _, a := range m.direct.Load().Chats() {
		info, err := m.Direct(wire.PeerID(a)).info(ctx)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	slices.SortStableFunc(infos, func(a, b DirectInfo) int { return b.Last.Compare(a.Last) })
	return infos, nil
}

func (d *Direct) info(ctx context.Context) (info DirectInfo, err error) {
	known, _ := d.m.presence.Load().Peer(d.author)
	info = DirectInfo{Peer: d.peer, Nick: d.m.Nick(d.peer), Online: known.Online || d.author == d.m.self}
	for msg, err := range d.History(ctx, Query{Limit: 1}) {
		if err != nil {
			return info, err
		}
		info.Last, info.State = msg.Time, msg.State
	}
	info.Unread, err = d.unread(ctx)
	return info, err
}

// unread counts the messages after the last one that was shown. Nothing but
// the newest is read when all of them were.
func (d *Direct) unread(ctx context.Context) (n int, err error) {
	if d.author == d.m.self {
		return 0, nil
	}
	read, err := d.m.direct.Load().Read(d.author)
	if err != nil {
		return 0, err
	}
	state, err := d.m.store.Author(d.log, d.author)
	if err != nil || state.LastSeq <= read.Seq {
		return 0, err
	}
	left := state.LastSeq - read.Seq
	for e, err := range d.m.store.History(ctx, eventlog.Query{Log: d.log, Reverse: true}) {
		if err != nil {
			return n, err
		}
		if e.Event.Author != d.author || e.Event.Seq <= read.Seq {
			continue
		}
		if d.shows(&e, false) {
			n++
		}
		if left--; left == 0 || n == maxUnread {
			break
		}
	}
	return n, nil
}
