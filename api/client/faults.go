package client

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
)

// faults turns every error of a call back into the fault the node reported,
// for single calls and streams alike.
type faults struct{}

func (faults) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		return res, fromConnect(ctx, err)
	}
}

func (faults) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return faultConn{next(ctx, spec), ctx}
	}
}

func (faults) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next // a client handles nothing
}

type faultConn struct {
	connect.StreamingClientConn
	ctx context.Context // the call's
}

func (c faultConn) Send(msg any) error {
	return fromConnect(c.ctx, c.StreamingClientConn.Send(msg))
}

func (c faultConn) Receive(msg any) error {
	return fromConnect(c.ctx, c.StreamingClientConn.Receive(msg))
}

// fromConnect takes a call for cancelled only when the caller did it: a
// connection that breaks while both sides write looks the same to Connect.
func fromConnect(ctx context.Context, err error) error {
	err = api.FromConnect(err)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return api.ErrGone
	}
	return err
}
