package server

import (
	"context"
	"iter"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

// talk is a room or a direct chat.
type talk interface {
	Log() chat.LogID
	Send(ctx context.Context, c chat.Content) (chat.ID, error)
	SendAll(ctx context.Context, contents iter.Seq[chat.Content]) iter.Seq2[chat.ID, error]
	History(ctx context.Context, q chat.Query) iter.Seq2[chat.Message, error]
}

// talk returns what a request names: a room that is or was joined, or a direct
// chat.
func (s *service) talk(ctx context.Context, room, direct string) (talk, error) {
	switch {
	case room != "" && direct != "":
		return nil, api.ErrArgument.Withf("a room and a direct chat are named at once")
	case direct == "":
		return s.chat.Room(room)
	default:
		return s.direct(ctx, direct)
	}
}

func (s *service) direct(ctx context.Context, text string) (*chat.Direct, error) {
	p, err := s.chat.FindPeer(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.chat.Direct(p), nil
}

func (s *service) MarkRead(ctx context.Context, req *v1.MarkReadRequest) (*v1.MarkReadResponse, error) {
	d, err := s.direct(ctx, req.GetDirect())
	if err != nil {
		return nil, err
	}
	id, err := chat.ParseID(req.GetId())
	if err != nil {
		return nil, api.ErrArgument.Withf("%.80q is not a message id", req.GetId())
	}
	return &v1.MarkReadResponse{}, d.MarkRead(ctx, id)
}

func (s *service) ListDirects(ctx context.Context, _ *v1.ListDirectsRequest) (*v1.ListDirectsResponse, error) {
	infos, err := s.chat.Directs(ctx)
	if err != nil {
		return nil, err
	}
	res := &v1.ListDirectsResponse{}
	for _, d := range infos {
		out := &v1.DirectChat{
			PeerId: d.Peer.String(), Nick: d.Nick, Online: d.Online, Unread: uint32(d.Unread), State: d.State,
		}
		if !d.Last.IsZero() {
			out.LastMs = d.Last.UnixMilli()
		}
		res.Directs = append(res.Directs, out)
	}
	return res, nil
}
