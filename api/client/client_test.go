package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/parley-chat/parley/api"
	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
)

// echo answers each message at once.
type echo struct {
	parleyv1connect.UnimplementedParleyServiceHandler
}

func (echo) SendMessages(_ context.Context, s *connect.BidiStream[v1.SendMessagesRequest, v1.SendMessagesResponse]) error {
	for {
		if _, err := s.Receive(); err != nil {
			return err
		}
		if err := s.Send(&v1.SendMessagesResponse{Id: "1"}); err != nil {
			return err
		}
	}
}

// cut is a listener whose connections can be broken as a killed process breaks
// them.
type cut struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cut) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
	}
	return conn, err
}

func (c *cut) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}

// A node that is killed while much is under way both ways has gone: that is an
// error with a code. The broken connection used to pass for a call that the
// caller had cancelled, of which nothing is told: parley send - ended without a
// word.
func TestAKilledNodeHasGone(t *testing.T) {
	for range 20 { // which side of the stream notices first varies
		killedInTheMiddle(t)
	}
}

func killedInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	l, err := api.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	node := &cut{Listener: l}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.Handle(parleyv1connect.NewParleyServiceHandler(echo{}))
	srv := &http.Server{Handler: mux, Protocols: &protocols}
	served := make(chan struct{})
	go func() { // ended by closing srv
		defer close(served)
		_ = srv.Serve(node)
	}()
	defer func() { srv.Close(); <-served }()
	c, err := client.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stream, err := c.SendMessages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { // ends when the connection breaks
		for {
			if err := stream.Send(&v1.SendMessagesRequest{Text: "x"}); err != nil {
				sent <- err
				return
			}
		}
	}()
	for got := 0; ; got++ {
		if got == 100 {
			node.kill()
		}
		if _, err = stream.Receive(); err != nil {
			break
		}
	}
	if !errors.Is(err, api.ErrGone) {
		t.Errorf("receiving ended with %v", err)
	}
	if err := <-sent; !errors.Is(err, api.ErrGone) && !errors.Is(err, io.EOF) {
		t.Errorf("sending ended with %v", err)
	}
}
