package registrar

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/parley-chat/parley/registrar/internal/guard"
	"github.com/parley-chat/parley/registrar/internal/places"
	"github.com/parley-chat/parley/registrar/internal/stream"
)

// What a stranger's connection may cost.
const (
	maxConns        = 8192             // over TLS, at once,
	maxConnsEach    = 512              // and of one address, which is not loopback: a site may be behind it
	maxUnderWay     = 2048             // calls at once, each of which may hold twice maxRequest,
	maxUnderWayEach = 256              // of one address,
	maxCalls        = 16               // and on one HTTP/2 connection
	maxHeader       = 16 << 10         // bytes
	headerTime      = 5 * time.Second  // to shake hands for TLS, or to send the head of a request,
	requestTime     = 15 * time.Second // and all of it; as long for the answer
	idleTime        = time.Minute
	closeGrace      = time.Second // for calls under way when the registrar ends
	maxStreams      = 256         // of strangers, over libp2p, at once,
	maxStreamsEach  = 64          // of one address,
	maxPerRemote    = 4           // and of one peer, admitted or not
	streamMaxLife   = time.Minute // of one, but for those of who is admitted
)

// local is what strangers at one loopback address have of the guard's budgets: a
// service of this machine may register many.
var local = guard.Rate{PerSecond: 2000, Burst: 20_000}

// Serve answers on l, which it closes, over TLS 1.3 with this certificate, until
// Close. Several listeners may be served. Errors: ErrServe.
func (r *Registrar) Serve(l net.Listener, cert tls.Certificate) error {
	crowd := &crowd{l, places.NewSites(maxConns, maxConnsEach)}
	return r.serve(tls.NewListener(crowd, &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2", "http/1.1"},
	}))
}

// serveStreams answers on streams of the node, also those of strangers: so nodes
// need no second address. libp2p has encrypted them.
func (r *Registrar) serveStreams() error {
	l := stream.Listen(r.node.PublicHost(), stream.Protocol(r.node.Network().Tag), stream.Limits{
		All: maxStreams, Site: maxStreamsEach, Each: maxPerRemote, Life: streamMaxLife, Known: r.node.Knows, Spare: r.node.Spare,
		Admitted: r.node.Admitted,
	})
	return r.serve(l)
}

func (r *Registrar) serve(l net.Listener) error {
	s := r.server()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.Join(ErrServe.Withf("the registrar is closed"), l.Close())
	}
	r.servers = append(r.servers, s)
	r.wg.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("the registrar serves no more", "addr", l.Addr(), "err", err)
		}
	})
	return nil
}

func (r *Registrar) server() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // over libp2p
	return &http.Server{
		Handler: r.mux, Protocols: &protocols, ConnContext: withCaller,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxCalls,
			MaxReceiveBufferPerConnection: 4 * maxRequest, // by default a connection that no call reads from holds 1 MiB
			MaxReceiveBufferPerStream:     2 * maxRequest,
			WriteByteTimeout:              requestTime, // for who asks and does not read
		},
		ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(r.log.Handler(), slog.LevelDebug), // what strangers do wrong
	}
}

// shutDown lets calls under way end, and ends what does not.
func shutDown(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}

// crowd is a listener that hangs up on who has too many connections already, so
// that one address cannot take them all.
type crowd struct {
	net.Listener
	places *places.Sites
}

func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if leave, ok := c.places.Enter(newCaller(conn).addr); ok {
			return &placed{conn, leave}, nil
		}
		_ = conn.Close()
	}
}

// placed is a connection that gives its place back.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}
