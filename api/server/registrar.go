package server

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/chat"
)

// Registrar is what the API needs of a registrar that runs in this process.
type Registrar interface {
	// NewCodes makes one-time enrolment codes.
	NewCodes(ctx context.Context, count int, life time.Duration) ([]string, error)
	// Revoke takes a node out of the network.
	Revoke(ctx context.Context, p peer.ID, reason string) (chat.ID, error)
}

func (s *service) NewCodes(ctx context.Context, req *v1.NewCodesRequest) (*v1.NewCodesResponse, error) {
	if s.registrar == nil {
		return nil, api.ErrNoRegistrar
	}
	codes, err := s.registrar.NewCodes(ctx, int(req.GetCount()), req.GetLife().AsDuration())
	if err != nil {
		return nil, err
	}
	return &v1.NewCodesResponse{Codes: codes}, nil
}

func (s *service) RevokeNode(ctx context.Context, req *v1.RevokeNodeRequest) (*v1.RevokeNodeResponse, error) {
	if s.registrar == nil {
		return nil, api.ErrNoRegistrar
	}
	p, err := s.chat.FindPeer(ctx, req.GetPeerId())
	if err != nil {
		return nil, err
	}
	id, err := s.registrar.Revoke(ctx, p, req.GetReason())
	if err != nil {
		return nil, err
	}
	return &v1.RevokeNodeResponse{PeerId: p.String(), EventId: id[:]}, nil
}

func (s *service) RegistryEnd(_ context.Context, req *v1.RegistryEndRequest) (*v1.RegistryEndResponse, error) {
	p, err := peer.Decode(req.GetRegistrar())
	if err != nil {
		return nil, chat.ErrPeer.With(err)
	}
	seq, id, err := s.chat.Registry().End(p)
	if err != nil {
		return nil, err
	}
	return &v1.RegistryEndResponse{Seq: seq, EventId: id[:]}, nil
}
