package registrar

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// asker calls the registrar over TLS with a header of the test's making.
type asker struct {
	m   *ministry
	rpc parleyv1connect.RegistrarServiceClient
}

func (m *ministry) asker() asker {
	return asker{m, parleyv1connect.NewRegistrarServiceClient(m.https(0), "https://"+m.addr, connect.WithGRPC())}
}

// ask makes both calls that are for members, and returns what came of each.
func (a asker) ask(header func() string) (unary, stream error) {
	call := func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithTimeout(a.m.t.Context(), 10*time.Second)
		ctx, info := connect.NewClientContext(ctx)
		if h := header(); h != "" {
			info.RequestHeader().Set("Authorization", h)
		}
		return ctx, cancel
	}
	ctx, cancel := call()
	defer cancel()
	_, unary = a.rpc.ListNodes(ctx, &v1.ListNodesRequest{})
	ctx, cancel = call()
	defer cancel()
	return unary, first(a.rpc.WatchNodes(ctx, &v1.WatchNodesRequest{}))
}

// first is how a stream begins: nil with a message.
func first(s *connect.ServerStreamForClient[v1.WatchNodesResponse], err error) error {
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Receive() {
		return nil
	}
	return s.Err()
}

// nonce is one of the registrar's.
func (m *ministry) nonce() []byte { return m.nonces.draw(m.node.Now()) }

// pass is the header of a, with a ticket, over a nonce.
func (m *ministry) pass(a client.Applicant, signed, nonce []byte, label string) string {
	key, _ := wire.Author(a.Peer)
	return statement.Authorization(signed, nonce, a.Sign(statement.Of(label, a.Network, m.key, key, nonce)))
}

// forgive opens the guard again after what a test did to it.
func (m *ministry) forgive() {
	m.guard.Succeeded(m.node.Now(), m.attempt(caller{addr: mustAddr("127.0.0.1")}, ""))
}

// spec: 11-registrars M21
func TestTheDirectoryIsForMembers(t *testing.T) {
	m, other := newMinistry(t), newMinistry(t)
	a, foreign, stranger := m.registered(), other.registered(), m.newcomer()
	ask := m.asker().ask
	if unary, stream := ask(func() string { return m.pass(a, a.Ticket, m.nonce(), statement.Call) }); unary != nil || stream != nil {
		t.Errorf("a member: %v, %v", unary, stream)
	}
	key, _ := wire.Author(a.Peer)
	now := time.Now().Truncate(time.Second)
	expired, err := (&ticket.Ticket{
		Network: a.Network, Peer: key, Issuer: m.key, Role: 1, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour),
	}).Sign(m.node.Sign)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := (&ticket.Ticket{
		Network: a.Network, Peer: key, Issuer: m.key, Role: 1, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}).Sign(stranger.Sign)
	if err != nil {
		t.Fatal(err)
	}
	used := m.nonce()
	if err := m.nonces.use(used, m.node.Now()); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct {
		header string
		want   connect.Code
	}{
		"nothing":                   {"", connect.CodeUnauthenticated},
		"another scheme":            {"Bearer x", connect.CodePermissionDenied},
		"half a header":             {"Parley x.y", connect.CodePermissionDenied},
		"a long header":             {"Parley " + strings.Repeat("A", 4000), connect.CodePermissionDenied},
		"a nonce that was used":     {m.pass(a, a.Ticket, used, statement.Call), connect.CodePermissionDenied},
		"another registrar's nonce": {m.pass(a, a.Ticket, other.nonce(), statement.Call), connect.CodePermissionDenied},
		"the signature for another": {m.pass(a, a.Ticket, m.nonce(), statement.Peer), connect.CodePermissionDenied},
		"another's ticket":          {m.pass(stranger, a.Ticket, m.nonce(), statement.Call), connect.CodePermissionDenied},
		"an expired ticket":         {m.pass(a, expired, m.nonce(), statement.Call), connect.CodePermissionDenied},
		"a forged ticket":           {m.pass(a, forged, m.nonce(), statement.Call), connect.CodePermissionDenied},
		"another network's ticket":  {m.pass(foreign, foreign.Ticket, m.nonce(), statement.Call), connect.CodePermissionDenied},
		"no ticket":                 {m.pass(a, []byte("x"), m.nonce(), statement.Call), connect.CodePermissionDenied},
	} {
		before := m.audit.Size()
		unary, stream := ask(func() string { return v.header })
		if connect.CodeOf(unary) != v.want || connect.CodeOf(stream) != v.want {
			t.Errorf("%s: %v; %v", name, unary, stream)
		}
		if rec := m.last(); v.header != "" && (m.audit.Size() != before+2 || rec.Op != audit.OpRefuse || rec.Reason != "call") {
			t.Errorf("%s: recorded %d, the last %+v", name, m.audit.Size()-before, rec)
		}
		m.forgive()
	}
	// One authorization is for one call.
	once := m.pass(a, a.Ticket, m.nonce(), statement.Call)
	if unary, stream := ask(func() string { return once }); unary != nil || connect.CodeOf(stream) != connect.CodePermissionDenied {
		t.Errorf("one authorization twice: %v; %v", unary, stream)
	}
}

// spec: 11-registrars M21
func TestRegistrarsCallsAreForRegistrars(t *testing.T) {
	m := newMinistry(t)
	a := m.registered()
	member := m.member()
	unary := func(rpc parleyv1connect.RegistrarServiceClient) error {
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set("Authorization", m.pass(a, a.Ticket, m.nonce(), statement.Call))
		_, err := rpc.ShareHeartbeats(ctx, &v1.ShareHeartbeatsRequest{Heartbeats: []*v1.HeartbeatRequest{{Heartbeat: m.beat(a, 1)}}})
		if _, also := rpc.Cosign(ctx, &v1.CosignRequest{}); connect.CodeOf(also) != connect.CodePermissionDenied {
			t.Errorf("Cosign: %v", also)
		}
		return err
	}
	stranger, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	stranger.Peerstore().AddAddrs(m.node.ID(), m.node.Addrs(), time.Hour)
	for name, err := range map[string]error{
		"over TLS":   unary(m.asker().rpc),
		"a member":   passOn(t, m, member.PublicHost(), a),
		"a stranger": passOn(t, m, stranger, a),
	} {
		if connect.CodeOf(err) != connect.CodePermissionDenied && !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := m.known(a); n.ID != "" {
		t.Errorf("known as %+v", n)
	}
	if rec := m.last(); rec.Op != audit.OpRefuse || rec.Reason != "registrar" {
		t.Errorf("recorded %+v", rec)
	}
}

// passOn has a host pass on a heartbeat of a.
func passOn(t *testing.T, m *ministry, h host.Host, a client.Applicant) error {
	t.Helper()
	c := client.OverStream(h, m.node.ID(), m.node.Network().Tag)
	defer c.Close()
	_, err := c.Share(t.Context(), []client.Shared{{Heartbeat: m.beat(a, 1)}})
	return err
}

// Over a stream it is being admitted that counts: a stranger gets neither call nor
// stream, a member both.
//
// spec: 11-registrars M21
func TestStreamsTellMembersFromStrangers(t *testing.T) {
	m := newMinistry(t)
	member := m.member()
	stranger, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	stranger.Peerstore().AddAddrs(m.node.ID(), m.node.Addrs(), time.Hour)
	enough := errors.New("enough")
	watch := func(h host.Host) error {
		c := client.OverStream(h, m.node.ID(), m.node.Network().Tag)
		defer c.Close()
		return c.Watch(t.Context(), nil, func([]*v1.NodeEntry, bool) error { return enough })
	}
	if err := watch(member.PublicHost()); !errors.Is(err, enough) {
		t.Errorf("a member: %v", err)
	}
	if err := watch(stranger); !errors.Is(err, errMembers) {
		t.Errorf("a stranger: %v", err)
	}
}

// A procedure that nobody thought of is nobody's to call.
func TestUnknownCallsAreRefused(t *testing.T) {
	m := newMinistry(t)
	if _, err := (doorkeeper{m.Registrar}).letIn(t.Context(), "/parley.v1.RegistrarService/Later", http.Header{}); err == nil {
		t.Error("let in")
	}
}

// A registrar that the root has taken out of the set notes and tells nothing any more.
//
// spec: 11-registrars M13
func TestWhoWasTakenOutTellsNobody(t *testing.T) {
	m := newMinistry(t)
	a := m.registered()
	f, err := node.RemoveRegistrar(m.node.Dir(), m.node.ID(), 0, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	own, _ := m.node.Ticket()
	if err := m.node.SetTicket(f.Record, own.Signed); err != nil {
		t.Fatal(err)
	}
	unary, stream := m.asker().ask(func() string { return m.pass(a, a.Ticket, m.nonce(), statement.Call) })
	if connect.CodeOf(unary) != connect.CodeUnavailable || connect.CodeOf(stream) != connect.CodeUnavailable {
		t.Errorf("tells: %v; %v", unary, stream)
	}
	if _, err := m.overTLS().Heartbeat(t.Context(), m.beat(a, 1), nil); !errors.Is(err, errUnable) || m.known(a).ID != "" {
		t.Errorf("notes: %v, %+v", err, m.known(a))
	}
}

// spec: 11-registrars M21
func TestTheDirectoryOverREST(t *testing.T) {
	m := newMinistry(t)
	a := m.registered()
	if _, err := m.overTLS().Heartbeat(t.Context(), m.beat(a, 1), nil); err != nil {
		t.Fatal(err)
	}
	get := func(path, header string) (status int, answer string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+m.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		res, err := m.https(0).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, answer := get("/v1/nodes", m.pass(a, a.Ticket, m.nonce(), statement.Call)); status != http.StatusOK || !strings.Contains(answer, a.Peer.String()) || !strings.Contains(answer, "NODE_STATE_ONLINE") {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := get("/v1/nodes", ""); status != http.StatusUnauthorized || strings.Contains(answer, a.Peer.String()) {
		t.Errorf("without a header: %d %s", status, answer)
	}
	if status, answer := get("/v1/nodes", "Parley x"); status != http.StatusForbidden || strings.Contains(answer, a.Peer.String()) {
		t.Errorf("with a bad one: %d %s", status, answer)
	}
	if status, answer := get("/v1/nodes:watch", m.pass(a, a.Ticket, m.nonce(), statement.Call)); status != http.StatusNotFound {
		t.Errorf("a stream: %d %s", status, answer)
	}
}
