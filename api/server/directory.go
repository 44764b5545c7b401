package server

import (
	"context"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// Directory tells of the network's nodes as a registrar knows them. A registrar is one,
// and on other nodes its client.
type Directory interface {
	// WatchDirectory hands all nodes to tell, in portions, then, with follow, each change,
	// until ctx ends or tell returns an error. whole says that nothing is left to tell.
	WatchDirectory(ctx context.Context, follow bool, tell func(nodes []*v1.NodeEntry, whole bool) error) error
}

func (s *service) WatchDirectory(ctx context.Context, req *v1.WatchDirectoryRequest, stream *connect.ServerStream[v1.WatchDirectoryResponse]) error {
	if s.directory == nil {
		return api.ErrNoRegistrar
	}
	return s.directory.WatchDirectory(ctx, req.GetFollow(), func(nodes []*v1.NodeEntry, whole bool) error {
		return stream.Send(&v1.WatchDirectoryResponse{Nodes: nodes, Whole: whole})
	})
}
