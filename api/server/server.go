// Package server answers the API on the Unix socket of a node's directory.
//
// Every method does three things: check the request, call chat or node, and
// let the error travel as a fault. Nothing is kept here but the socket.
//
//	s, err := server.Start(server.Config{Node: n, Messenger: m})
//	defer s.Close()
//
// Close the server before the messenger and the node it speaks for.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"

	"github.com/parley-chat/parley/api"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

const (
	// maxRequest bounds one message to the node, in bytes: the largest text
	// and what is round it, with room for chat to say how much too long it is.
	maxRequest = 1 << 20

	// closeGrace is how long calls may take to notice that the server ends.
	closeGrace = time.Second
)

// Config says what is served. Node and Messenger are required.
type Config struct {
	Node      *node.Node
	Messenger *chat.Messenger
	// Registrar is the one that runs here; nil: none does.
	Registrar Registrar
	// Directory is where the network's nodes are known; nil: nowhere.
	Directory Directory
	// Release, Wire and Schema are what Status tells as the version.
	Release, Wire, Schema string
	// Logger is told of our own failures; nil is silent.
	Logger *slog.Logger
}

// Server serves until Close.
type Server struct {
	http  *http.Server
	stop  context.CancelFunc // ends the calls
	done  chan struct{}      // closed when the serving goroutine has ended
	close sync.Once
	svc   *service
}

// Start opens the socket and serves. It answers when Start returns.
func Start(cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := api.Listen(cfg.Node.Dir())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	svc := newService(cfg)
	s := &Server{
		svc:  svc,
		stop: stop,
		done: make(chan struct{}),
		http: &http.Server{
			Handler:           handler(cfg, svc, ctx.Done()),
			Protocols:         &protocols,
			ReadHeaderTimeout: 5 * time.Second,
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		},
	}
	go func() { // ended by Close, which waits for it
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.Error("the API stopped answering", "err", err)
		}
	}()
	return s, nil
}

// Close ends all calls, waits for them a moment, and removes the socket.
func (s *Server) Close() error {
	s.close.Do(func() {
		s.stop()
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			s.http.Close()
		}
		<-s.done
	})
	return nil
}

// Watchers is how many calls of Watch there are: chats, and others that would
// end with the node.
func (s *Server) Watchers() int { return int(s.svc.watchers.Load()) }

func newService(cfg Config) *service {
	return &service{
		node: cfg.Node, chat: cfg.Messenger, registrar: cfg.Registrar, directory: cfg.Directory,
		version: &v1.Version{Release: cfg.Release, Wire: cfg.Wire, Schema: cfg.Schema},
	}
}

func handler(cfg Config, svc *service, closing <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	opts := connect.WithHandlerOptions(
		connect.WithReadMaxBytes(maxRequest),
		connect.WithInterceptors(&faults{log: cfg.Logger, closing: closing}),
		connect.WithCompression("gzip", nil, nil), // both ends are one machine
		connect.WithRecover(recovered),
	)
	mux.Handle(parleyv1connect.NewParleyServiceHandler(svc, opts))
	mux.Handle(grpchealth.NewHandler(grpchealth.NewStaticChecker(parleyv1connect.ParleyServiceName)))
	return mux
}

// service implements the API; one file a group of methods.
type service struct {
	node      *node.Node
	chat      *chat.Messenger
	registrar Registrar // nil: none
	directory Directory // nil: none
	version   *v1.Version
	watchers  atomic.Int32 // calls of Watch
}
