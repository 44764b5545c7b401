package server

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"iter"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

func (s *service) Export(ctx context.Context, req *v1.ExportRequest, stream *connect.ServerStream[v1.ExportResponse]) error {
	room, err := s.chat.Room(req.GetRoom())
	if err != nil {
		return err
	}
	network := s.node.Network()
	err = stream.Send(&v1.ExportResponse{Origin: &v1.Origin{
		Network: network.Name, NetworkId: hex.EncodeToString(network.ID[:]), Room: room.Name(), Log: room.Log().String(),
	}})
	if err != nil {
		return err
	}
	for payload, err := range room.Export(ctx) {
		if err != nil {
			return err
		}
		if err := stream.Send(&v1.ExportResponse{Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

type importStream = connect.BidiStream[v1.ImportRequest, v1.ImportResponse]

func (s *service) Import(ctx context.Context, stream *importStream) error {
	first, err := stream.Receive()
	if err != nil {
		return err
	}
	id, err := hex.DecodeString(first.GetOrigin().GetNetworkId())
	if err != nil || len(id) != 32 {
		return api.ErrArgument.Withf("an import begins with its origin")
	}
	from := chat.Origin{Network: [32]byte(id), Room: first.GetOrigin().GetRoom()}
	var broken error // the stream failed on the way in; read after the loop
	for done, err := range s.chat.Import(ctx, from, exported(ctx, stream, &broken)) {
		if err != nil {
			return err
		}
		if err := stream.Send(importAnswer(done)); err != nil {
			return err
		}
	}
	return broken
}

// exported yields the payloads of a stream until the caller ends it or goes away.
func exported(ctx context.Context, stream *importStream, broken *error) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for ctx.Err() == nil {
			req, err := stream.Receive()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				*broken = err
				return
			}
			if !yield(req.GetPayload()) {
				return
			}
		}
	}
}

func importAnswer(done chat.Imported) *v1.ImportResponse {
	res := &v1.ImportResponse{New: uint64(done.New), Known: uint64(done.Known), Done: uint64(done.Done)}
	for _, r := range done.Refused {
		res.Refused = append(res.Refused, &v1.Refusal{Index: uint64(r.Index), Fault: api.FaultOf(r.Err)})
	}
	return res
}
