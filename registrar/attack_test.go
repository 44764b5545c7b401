package registrar

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
	"github.com/parley-chat/parley/registrar/internal/guard"
	"github.com/parley-chat/parley/registrar/internal/places"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// application is a registration of a, signed over a fresh nonce.
func (m *ministry) application(a client.Applicant) *v1.RegisterNodeRequest {
	m.t.Helper()
	key, err := wire.Author(a.Peer)
	if err != nil {
		m.t.Fatal(err)
	}
	nonce := m.nonces.draw(m.node.Now())
	req := &v1.RegisterNodeRequest{
		PeerId: a.Peer.String(), Nonce: nonce, Zone: a.Zone,
		PeerSignature: a.Sign(statement.Of(statement.Peer, a.Network, m.key, key, nonce)),
		Credential:    &v1.RegisterNodeRequest_EnrolmentCode{EnrolmentCode: a.Code},
	}
	if a.Ticket != nil {
		req.Credential = &v1.RegisterNodeRequest_Ticket{Ticket: a.Ticket}
	}
	return req
}

// Who hangs up before the answer has done what he did: the log has it, and who
// was admitted may come again.
func TestWhoHangsUpIsRecorded(t *testing.T) {
	m := newMinistry(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // with the caller's context half of them go missing
		a := m.newcomer()
		a.Code = m.code()
		if _, err := m.register(gone, caller{}, m.application(a)); err != nil {
			t.Fatal(err)
		}
		if rec := m.last(); rec.Op != audit.OpRegister || rec.Actor != a.Peer.String() {
			t.Fatalf("recorded %+v", rec)
		}
		a.Code = "no"
		_, err := m.register(gone, caller{}, m.application(a))
		m.refused(err, a, "code_typing")
		m.guard.Succeeded(m.node.Now(), guard.Attempt{Peer: string(a.Peer)})
	}
}

// A registrar that the root has taken out of the set admits nobody, spends no
// code and has no ticket made for itself, though it runs on.
//
// spec: 11-registrars M13
func TestWhoWasTakenOutAdmitsNobody(t *testing.T) {
	m := newMinistry(t)
	a := m.newcomer()
	a.Code = m.code()
	f, err := node.RemoveRegistrar(m.node.Dir(), m.node.ID(), 0, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	own, _ := m.node.Ticket()
	if err := m.node.SetTicket(f.Record, own.Signed); err != nil { // as the record comes to the node
		t.Fatal(err)
	}
	if _, err := m.overTLS().Register(t.Context(), a); !errors.Is(err, errUnable) {
		t.Errorf("admits: %v", err)
	}
	if err := m.registerItself(); !errors.Is(err, ErrNotRegistrar) {
		t.Errorf("renews itself: %v", err)
	}
	if _, err := m.NewCodes(t.Context(), 1, time.Hour); !errors.Is(err, ErrNotRegistrar) {
		t.Errorf("makes codes: %v", err)
	}
	for _, c := range m.codes.Known() {
		if c.UsedBy != "" {
			t.Errorf("spent a code for %s", c.UsedBy)
		}
	}
}

// member is a node that the registrar has admitted and knows.
func (m *ministry) member() *node.Node {
	m.t.Helper()
	f, err := node.LoadNetwork(m.node.Dir())
	if err != nil {
		m.t.Fatal(err)
	}
	invite, dir := f.Invite(nil), m.t.TempDir()
	id, err := node.OpenMember(dir, &invite)
	if err != nil {
		m.t.Fatal(err)
	}
	g := mustRegister(m.t, m, client.Applicant{Network: f.ID, Peer: id.ID(), Sign: id.Sign, Code: m.code()})
	if err := id.Remember(g.Peers); err != nil {
		m.t.Fatal(err)
	}
	if _, err := node.SaveTicket(dir, g.Record, g.Ticket); err != nil {
		m.t.Fatal(err)
	}
	met := m.node.Watch(m.t.Context())
	n := startNode(m.t, dir)
	for c := range met {
		if c.Admitted && c.ID == n.ID() {
			break
		}
	}
	return n
}

// An admitted node that renews its ticket is not stopped by what strangers at its
// address did, and nobody is taken for it who has its peer ID alone.
//
// spec: 11-registrars M10
func TestStrangersLockNoMemberOut(t *testing.T) {
	m := newMinistry(t)
	member := m.member()
	here := caller{addr: netip.MustParseAddr("127.0.0.1")}
	var err error
	for tries := 0; !errors.Is(err, guard.ErrLocked); tries++ {
		if tries == 100 {
			t.Fatal("strangers are never locked out")
		}
		a := m.newcomer()
		a.Code = "no"
		_, err = m.register(t.Context(), here, m.application(a))
	}
	for range 10 { // the lock lasts for as long as the test
		m.guard.Failed(m.node.Now(), guard.Attempt{Addr: here.addr})
	}
	if err := (client.Admitter{}).Renew(t.Context(), member); err != nil {
		t.Fatal(err)
	}
	if rec := m.last(); rec.Op != audit.OpRegister || rec.Actor != member.ID().String() || rec.Detail != "ticket" {
		t.Errorf("recorded %+v", rec)
	}
	for how, c := range map[string]caller{
		"over TLS":              here,
		"over another's stream": {addr: here.addr, peer: m.newcomer().Peer},
	} {
		if v := m.guard.Allow(m.node.Now(), m.attempt(c, member.ID())); v.OK() {
			t.Errorf("a claimed peer ID is taken for a member %s", how)
		}
	}
	own := m.newcomer().Peer
	if v := m.guard.Allow(m.node.Now(), m.attempt(caller{addr: here.addr, peer: own}, own)); v.OK() {
		t.Error("a stranger that has proven its peer ID is taken for a member")
	}
}

// Headers that proxies set say nothing: who writes them may come from anywhere.
func TestHeadersNameNoAddress(t *testing.T) {
	m := newMinistry(t)
	a := m.newcomer()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+m.addr+"/v1/nodes",
		strings.NewReader(`{"peer_id":"`+a.Peer.String()+`","enrolment_code":"no"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "True-Client-IP"} {
		req.Header.Set(name, "203.0.113.9")
	}
	req.Header.Set("Forwarded", "for=203.0.113.9")
	res, err := m.https(tls.VersionTLS13).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if rec := m.last(); rec.Actor != a.Peer.String() || !strings.HasPrefix(rec.Addr, "/ip4/127.0.0.1/") {
		t.Errorf("recorded %+v", rec)
	}
}

// A few bytes that unpack to many are not unpacked.
func TestBombsAreNotUnpacked(t *testing.T) {
	m := newMinistry(t)
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	if _, err := io.Copy(z, io.LimitReader(zeros{}, 16<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/nodes", "/parley.v1.RegistrarService/RegisterNode"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+m.addr+path, bytes.NewReader(small.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Content-Encoding", "gzip")
		if path != "/v1/nodes" {
			req.Header.Set("Connect-Protocol-Version", "1")
		}
		res, err := m.https(tls.VersionTLS13).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(answer), "max") {
			t.Errorf("%s: %d %s", path, res.StatusCode, answer)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A registrar whose clock is an hour off admits, its tickets hold by the right
// clock at once, and the applicant is told by how much.
func TestARegistrarsClockMayBeAnHourOff(t *testing.T) {
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		m := newMinistry(t, func(c *node.Config) { c.Now = func() time.Time { return time.Now().Add(off) } })
		a := m.certified(m.ca, certs.P256, -2*time.Hour, 2*time.Hour, "")
		g := mustRegister(t, m, a)
		key, err := wire.Author(a.Peer)
		if err != nil {
			t.Fatal(err)
		}
		rules := ticket.Rules{Network: a.Network, Registrar: m.isRegistrar, Now: time.Now()}
		if _, err := rules.Verify(g.Ticket, key); err != nil {
			t.Errorf("%v off: %v", off, err)
		}
		if d := g.Ahead - off; d.Abs() > time.Minute {
			t.Errorf("%v off: told %v", off, g.Ahead)
		}
	}
}

// Open that fails leaves nothing: no handler on the node, no lock on the audit log.
func TestAFailedOpenLeavesNothing(t *testing.T) {
	m := newMinistry(t)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	held, err := audit.Open(filepath.Join(m.node.Dir(), "audit"), audit.Config{Signer: nil})
	if err == nil { // another process that has the log
		_ = held.Close()
	}
	again, err := Open(m.node, m.chat, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(m.node, m.chat, Config{}); err == nil {
		t.Error("two registrars on one directory")
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if again, err = Open(m.node, m.chat, Config{}); err != nil {
		t.Fatalf("after a failed one: %v", err)
	}
	if err := errors.Join(again.Close(), again.Close()); err != nil {
		t.Error(err)
	}
}

// One address cannot take the places of all; loopback, where others than this
// machine's own cannot come from, has no bound of its own.
func TestConnectionsOfAnAddressAreBounded(t *testing.T) {
	sites := places.NewSites(maxConns, maxConnsEach)
	for range maxConnsEach {
		if _, ok := sites.Enter(netip.MustParseAddr("192.0.2.1")); !ok {
			t.Fatal("too few")
		}
	}
	if _, ok := sites.Enter(netip.MustParseAddr("192.0.2.1")); ok {
		t.Error("one address has no bound")
	}
	m := newMinistry(t)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range maxConnsEach + 1 {
		c, err := net.Dial("tcp", m.addr)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	a := m.newcomer()
	a.Code = m.code()
	m.admits(a, "code")
}
