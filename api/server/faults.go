package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
)

// faults makes the error of every call one that travels with its code, and
// logs those that are our own.
type faults struct {
	log     *slog.Logger
	closing <-chan struct{}
}

func (f *faults) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		return res, f.travel(err, req.Spec().Procedure)
	}
}

func (f *faults) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return f.travel(next(ctx, conn), conn.Spec().Procedure)
	}
}

func (f *faults) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next // a server calls nobody
}

func (f *faults) travel(err error, procedure string) error {
	if err == nil {
		return nil
	}
	select {
	case <-f.closing:
		return api.ToConnect(api.ErrGone)
	default:
	}
	var ce *connect.Error // of the transport: a malformed request, a caller gone
	if errors.As(err, &ce) {
		return err
	}
	out := api.ToConnect(err)
	if errors.As(out, &ce) && ce.Code() == connect.CodeInternal {
		f.log.Error("a call failed", "call", procedure, "err", err)
	}
	return out
}

func recovered(_ context.Context, spec connect.Spec, _ http.Header, what any) error {
	return api.ErrInternal.Withf("%s panicked: %v", spec.Procedure, what)
}
