package server

import (
	"context"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
)

type watchStream = connect.ServerStream[v1.WatchResponse]

func (s *service) Watch(ctx context.Context, req *v1.WatchRequest, stream *watchStream) error {
	if req.After != nil && req.GetHistory() > 0 || req.GetHistory() > 0 && req.GetRoom() == "" {
		return api.ErrArgument.Withf("history needs a room and no cursor")
	}
	key, err := s.roomKey(req.GetRoom())
	if err != nil {
		return err
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
	if err := s.watchHistory(ctx, req, cursor, stream); err != nil {
		return err
	}
	for u := range s.chat.Updates(ctx, cursor) {
		res := updateOf(u)
		if res == nil || !concerns(u, key) {
			continue
		}
		if err := stream.Send(res); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return api.ErrGone
}

// roomKey returns the comparison name of a room known here, empty for none.
func (s *service) roomKey(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	room, err := s.chat.Room(name)
	if err != nil {
		return "", err
	}
	return event.RoomKey(room.Name())
}

func (s *service) watchHistory(ctx context.Context, req *v1.WatchRequest, cursor uint64, stream *watchStream) error {
	if req.GetHistory() == 0 {
		return nil
	}
	room, err := s.chat.Room(req.GetRoom())
	if err != nil {
		return err
	}
	for m, err := range room.History(ctx, chat.Query{Limit: int(req.GetHistory())}) {
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

// concerns reports whether an update is of the room with that comparison
// name; every update is of the empty one.
func concerns(u chat.Update, key string) bool {
	if key == "" {
		return true
	}
	var name string
	switch u := u.(type) {
	case chat.MessageAdded:
		name = u.Message.Room
	case chat.StateChanged:
		name = u.Room
	case chat.MemberChanged:
		name = u.Room
	case chat.Lagged:
		return true
	default:
		return false
	}
	k, err := event.RoomKey(name)
	return err == nil && k == key
}
