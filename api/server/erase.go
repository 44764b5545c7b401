package server

import (
	"context"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

func (s *service) EraseMessage(ctx context.Context, req *v1.EraseMessageRequest) (*v1.EraseMessageResponse, error) {
	id, err := chat.ParseID(req.GetId())
	if err != nil {
		return nil, api.ErrArgument.Withf("%q is not a message id", req.GetId())
	}
	return &v1.EraseMessageResponse{}, s.chat.Erase(ctx, id)
}
