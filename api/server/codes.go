package server

import (
	"context"
	"time"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// Registrar is what the API needs of a registrar that runs in this process.
type Registrar interface {
	// NewCodes makes one-time enrolment codes.
	NewCodes(ctx context.Context, count int, life time.Duration) ([]string, error)
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
