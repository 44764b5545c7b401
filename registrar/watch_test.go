package registrar

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/client"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// window is a registrar in fake time that is called over pipes, as over TLS.
type window struct {
	*Registrar
	t     *testing.T
	c     *country
	pipes *pipes
	rpc   parleyv1connect.RegistrarServiceClient
}

func inWindow(t *testing.T, f func(w *window)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCountry(t, 1, 0, nil)
		w := &window{Registrar: c.offices[0], t: t, c: c, pipes: newPipes()}
		if err := w.serve(w.pipes); err != nil {
			t.Fatal(err)
		}
		w.rpc = w.over(connect.WithGRPC(), func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
		f(w)
		c.Stop(0)
	})
}

// over is a client of one version of HTTP.
func (w *window) over(opt connect.ClientOption, version func(*http.Protocols)) parleyv1connect.RegistrarServiceClient {
	var protocols http.Protocols
	version(&protocols)
	transport := &http.Transport{Protocols: &protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return w.pipes.dial(), nil }}
	w.t.Cleanup(transport.CloseIdleConnections)
	return parleyv1connect.NewRegistrarServiceClient(&http.Client{Transport: transport}, "http://registrar", opt)
}

// member is somebody with a ticket.
func (w *window) member() client.Applicant {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	a := client.Applicant{
		Network: w.node.Network().ID, Peer: wire.PeerID([32]byte(public)), Sign: func(msg []byte) []byte { return ed25519.Sign(key, msg) },
	}
	if a.Ticket, _, err = w.issue(w.t.Context(), grant{peer: [32]byte(public), role: uint32(hello.RoleNode)}, "test", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *window) header(a client.Applicant) string {
	key, _ := wire.Author(a.Peer)
	nonce := w.nonces.draw(w.node.Now())
	return statement.Authorization(a.Ticket, nonce, a.Sign(statement.Of(statement.Call, a.Network, w.key, key, nonce)))
}

// watch opens a stream of a's.
func (w *window) watch(a client.Applicant) (*connect.ServerStreamForClient[v1.WatchNodesResponse], error) {
	ctx, info := connect.NewClientContext(w.t.Context())
	info.RequestHeader().Set("Authorization", w.header(a))
	return w.rpc.WatchNodes(ctx, &v1.WatchNodesRequest{})
}

// begun opens one that tells something.
func (w *window) begun(a client.Applicant) *connect.ServerStreamForClient[v1.WatchNodesResponse] {
	w.t.Helper()
	s, err := w.watch(a)
	if err != nil || !s.Receive() {
		w.t.Fatal(err, s.Err())
	}
	return s
}

// A stream lasts longer than any call may, with a word each five seconds, and ends with
// the membership.
//
// spec: 11-registrars M26
func TestAWatchEndsWithTheMembership(t *testing.T) {
	inWindow(t, func(w *window) {
		for name, rpc := range map[string]parleyv1connect.RegistrarServiceClient{
			"HTTP/2":   w.rpc,
			"HTTP/1.1": w.over(connect.WithProtoJSON(), func(p *http.Protocols) { p.SetHTTP1(true) }),
		} {
			w.rpc = rpc
			w.endsWithMembership(name)
		}
	})
}

func (w *window) endsWithMembership(over string) {
	t := w.t
	a := w.member()
	s := w.begun(a)
	defer s.Close()
	last, begin := time.Now(), time.Now()
	for time.Since(begin) < 10*time.Minute {
		if !s.Receive() {
			t.Fatalf("%s: ended after %v: %v", over, time.Since(begin), s.Err())
		}
		if quiet := time.Since(last); quiet > watchQuiet+time.Second {
			t.Fatalf("quiet for %v", quiet)
		}
		last = time.Now()
	}
	key, _ := wire.Author(a.Peer)
	w.members.known.Remove(key)
	end := time.Now()
	for s.Receive() {
	}
	if connect.CodeOf(s.Err()) != connect.CodeUnauthenticated || time.Since(end) > watchQuiet+time.Second {
		t.Errorf("%s: after %v: %v", over, time.Since(end), s.Err())
	}
}

// A member has a few streams, and its place is free when one ends.
func TestWatchesAreBounded(t *testing.T) {
	inWindow(t, func(w *window) {
		a := w.member()
		for range maxWatchersEach - 1 {
			defer w.begun(a).Close()
		}
		last := w.begun(a)
		if s, err := w.watch(a); err == nil && s.Receive() || connect.CodeOf(errors.Join(err, s.Err())) != connect.CodeResourceExhausted {
			t.Errorf("one too many: %v, %v", err, s.Err())
		}
		defer w.begun(w.member()).Close() // another member's
		_ = last.Close()
		time.Sleep(time.Second)
		defer w.begun(a).Close()
	})
}

// Close does not wait for who watches.
func TestCloseEndsWatches(t *testing.T) {
	inWindow(t, func(w *window) {
		s := w.begun(w.member())
		defer s.Close()
		begin := time.Now()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		for s.Receive() {
		}
		if s.Err() == nil || time.Since(begin) > closeGrace {
			t.Errorf("after %v: %v", time.Since(begin), s.Err())
		}
	})
}

// Who asks and does not read is ended, and holds no place.
func TestAWatcherThatDoesNotReadIsEnded(t *testing.T) {
	inWindow(t, func(w *window) {
		a := w.member()
		conn := w.pipes.dial()
		defer conn.Close()
		head := fmt.Sprintf("POST /parley.v1.RegistrarService/WatchNodes HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+proto\r\n"+
			"Connect-Protocol-Version: 1\r\nAuthorization: %s\r\nContent-Length: 5\r\n\r\n", w.header(a))
		if _, err := conn.Write(append([]byte(head), 0, 0, 0, 0, 0)); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReaderSize(conn, 16).ReadString(' ') // and no more
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1") {
			t.Fatal(line, err)
		}
		if leave, ok := w.watchers.Enter(a.Peer); !ok {
			t.Error("no place")
		} else {
			defer leave()
		}
		for range maxWatchersEach - 2 {
			leave, _ := w.watchers.Enter(a.Peer)
			defer leave()
		}
		if _, ok := w.watchers.Enter(a.Peer); ok {
			t.Error("it has no place while it holds the stream")
		}
		time.Sleep(requestTime + watchQuiet + time.Second)
		if _, ok := w.watchers.Enter(a.Peer); !ok {
			t.Error("it holds its place for ever")
		}
	})
}
