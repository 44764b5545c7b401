// Package client calls the API of the node that runs on a data directory.
//
//	c, err := client.Dial(ctx, dir)
//	defer c.Close()
//	res, err := c.SendMessage(ctx, &parleyv1.SendMessageRequest{Room: "lobby", Text: "hello"})
//
// Every error is a *fault.Error with its code, or the context's error. A
// Client is safe for concurrent use; all calls share one connection.
package client

import (
	"context"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
)

// maxAnswer bounds one message from the node, in bytes; a whole room list of
// a large site fits.
const maxAnswer = 16 << 20

// Client has the methods of the service, with errors turned back into faults.
type Client struct {
	parleyv1connect.ParleyServiceClient
	transport *http.Transport
}

// Dial looks for the node on dir and returns api.ErrNoNode if none answers.
// ctx bounds the look only.
func Dial(ctx context.Context, dir string) (*Client, error) {
	conn, err := api.Dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	conn.Close()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	t := &http.Transport{
		Protocols:          &protocols,
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return api.Dial(ctx, dir)
		},
	}
	rpc := parleyv1connect.NewParleyServiceClient(&http.Client{Transport: t}, "http://parley",
		connect.WithInterceptors(faults{}),
		connect.WithReadMaxBytes(maxAnswer),
		connect.WithAcceptCompression("gzip", nil, nil)) // both ends are one machine
	return &Client{ParleyServiceClient: rpc, transport: t}, nil
}

// Close lets the connection go. Calls under way end by their own contexts.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
