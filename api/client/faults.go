package client

import (
	"context"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
)

// faults turns every error of a call back into the fault the node reported,
// for single calls and streams alike.
type faults struct{}

func (faults) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		return res, api.FromConnect(err)
	}
}

func (faults) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return faultConn{next(ctx, spec)}
	}
}

func (faults) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next // a client handles nothing
}

type faultConn struct{ connect.StreamingClientConn }

func (c faultConn) Send(msg any) error { return api.FromConnect(c.StreamingClientConn.Send(msg)) }

func (c faultConn) Receive(msg any) error { return api.FromConnect(c.StreamingClientConn.Receive(msg)) }
