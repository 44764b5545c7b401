package server

import (
	"context"

	"connectrpc.com/connect"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

type watchStream = connect.ServerStream[v1.WatchResponse]

func (s *service) Watch(ctx context.Context, req *v1.WatchRequest, stream *watchStream) error {
	s.watchers.Add(1)
	defer s.watchers.Add(-1)
	if req.After != nil && req.GetHistory() > 0 || req.GetHistory() > 0 && req.GetRoom() == "" && req.GetDirect() == "" {
		return api.ErrArgument.Withf("history needs a room or direct chat and no cursor")
	}
	var of talk // nil: everything
	if req.GetRoom() != "" || req.GetDirect() != "" {
		var err error
		if of, err = s.talk(ctx, req.GetRoom(), req.GetDirect()); err != nil {
			return err
		}
	}
	// The cursor is taken before history is read: what comes meanwhile is
	// told by the updates, and left out of the history.
	cursor := s.chat.LastCursor()
	if req.After != nil {
		cursor = req.GetAfter()
	}
	if err := stream.Send(started(cursor)); err != nil {
		return err
	}
	if err := watchHistory(ctx, of, req, cursor, stream); err != nil {
		return err
	}
	for u := range s.chat.Updates(ctx, cursor) {
		res := updateOf(u)
		if res == nil || !concerns(u, of) {
			continue
		}
		if err := stream.Send(res); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.chat.Err(); err != nil {
		return err
	}
	return api.ErrGone
}

func watchHistory(ctx context.Context, of talk, req *v1.WatchRequest, cursor uint64, stream *watchStream) error {
	if req.GetHistory() == 0 {
		return nil
	}
	for m, err := range of.History(ctx, chat.Query{Limit: int(req.GetHistory())}) {
		if err != nil {
			return err
		}
		if m.Cursor > cursor {
			continue
		}
		if err := stream.Send(updateOf(chat.MessageAdded{Message: m})); err != nil {
			return err
		}
	}
	return nil
}

// concerns reports whether an update is of a room or direct chat; every update
// is of nil.
func concerns(u chat.Update, of talk) bool {
	if of == nil {
		return true
	}
	room, direct := "", peer.ID("")
	switch u := u.(type) {
	case chat.MessageAdded:
		return u.Message.Log == of.Log()
	case chat.StateChanged:
		room, direct = u.Room, u.Direct
	case chat.MemberChanged:
		room = u.Room
	case chat.Lagged:
		return true
	}
	switch of := of.(type) {
	case *chat.Room:
		return room == of.Name() && room != ""
	case *chat.Direct:
		return direct == of.Peer()
	default:
		return false
	}
}
