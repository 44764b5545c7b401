package server

import (
	"context"
	"errors"
	"io"
	"iter"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

func (s *service) SendMessage(ctx context.Context, req *v1.SendMessageRequest) (*v1.SendMessageResponse, error) {
	talk, err := s.talk(ctx, req.GetRoom(), req.GetDirect())
	if err != nil {
		return nil, err
	}
	id, err := talk.Send(ctx, chat.Text(req.GetText()).Once(req.GetIdempotencyKey()))
	if err != nil {
		return nil, err
	}
	return &v1.SendMessageResponse{Id: id.String()}, nil
}

type sendStream = connect.BidiStream[v1.SendMessagesRequest, v1.SendMessagesResponse]

func (s *service) SendMessages(ctx context.Context, stream *sendStream) error {
	first, err := stream.Receive()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	talk, err := s.talk(ctx, first.GetRoom(), first.GetDirect())
	if err != nil {
		return err
	}
	if room, ok := talk.(*chat.Room); ok && !room.Joined() {
		return chat.ErrNotJoined
	}
	var broken error // the stream failed on the way in; read after the loop
	for id, err := range talk.SendAll(ctx, contents(ctx, first, stream, &broken)) {
		if err := stream.Send(sendAnswer(id, err)); err != nil {
			return err
		}
	}
	return broken
}

// contents yields the texts of a stream, from its first request on, until the
// caller ends it or goes away.
func contents(ctx context.Context, req *v1.SendMessagesRequest, stream *sendStream, broken *error) iter.Seq[chat.Content] {
	return func(yield func(chat.Content) bool) {
		for yield(chat.Text(req.GetText()).Once(req.GetIdempotencyKey())) && ctx.Err() == nil {
			var err error
			if req, err = stream.Receive(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				*broken = err
				return
			}
		}
	}
}

func sendAnswer(id chat.ID, err error) *v1.SendMessagesResponse {
	if err != nil {
		return &v1.SendMessagesResponse{Fault: api.FaultOf(err)}
	}
	return &v1.SendMessagesResponse{Id: id.String()}
}
