package server

import (
	"context"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

func (s *service) History(ctx context.Context, req *v1.HistoryRequest, stream *connect.ServerStream[v1.HistoryResponse]) error {
	talk, err := s.talk(ctx, req.GetRoom(), req.GetDirect())
	if err != nil {
		return err
	}
	q, err := queryOf(req)
	if err != nil {
		return err
	}
	for m, err := range talk.History(ctx, q) {
		if err != nil {
			return err
		}
		if err := stream.Send(&v1.HistoryResponse{Message: messageOf(m)}); err != nil {
			return err
		}
	}
	return nil
}

func queryOf(req *v1.HistoryRequest) (chat.Query, error) {
	q := chat.Query{Limit: int(req.GetLimit()), All: req.GetAll()}
	for _, end := range []struct {
		text string
		id   **chat.ID
	}{{req.GetBefore(), &q.Before}, {req.GetAfter(), &q.After}} {
		if end.text == "" {
			continue
		}
		id, err := chat.ParseID(end.text)
		if err != nil {
			return q, api.ErrArgument.Withf("%q is not a message id", end.text)
		}
		*end.id = &id
	}
	return q, nil
}
