package registrar

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"github.com/libp2p/go-libp2p"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
)

// https is a client that takes any certificate, over HTTP/1.1 or 2.
func (m *ministry) https(version uint16) *http.Client {
	t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: version}, ForceAttemptHTTP2: true}
	m.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

func (m *ministry) post(path, body string) (status int, answer string) {
	m.t.Helper()
	res, err := m.https(tls.VersionTLS13).Post("https://"+m.addr+path, "application/json", strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// spec: 11-registrars M11
func TestRESTSpeaksTheSame(t *testing.T) {
	m := newMinistry(t)
	status, answer := m.post("/v1/challenge", "{}")
	ch := struct{ Nonce, NetworkID, Registrar string }{}
	if err := json.Unmarshal([]byte(answer), &ch); err != nil || status != http.StatusOK || ch.Registrar != m.node.ID().String() {
		t.Errorf("%d %s", status, answer)
	}
	a := m.newcomer()
	body := `{"peer_id":"` + a.Peer.String() + `","nonce":"` + ch.Nonce + `","enrolment_code":"no"}`
	if status, answer := m.post("/v1/nodes", body); status != http.StatusForbidden || strings.Contains(answer, "proof") {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := m.post("/v1/nodes", `{"peer_id":"x"}`); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := m.post("/v1/nodes", `{"peer_id":"`+strings.Repeat("x", 2*maxRequest)+`"}`); status < 400 || status >= 500 {
		t.Errorf("a huge body: %d", status)
	}
}

// spec: 11-registrars M9, M11
func TestARefusalIsPermissionDenied(t *testing.T) {
	m := newMinistry(t)
	for name, opts := range map[string][]connect.ClientOption{
		"gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()}, "Connect": nil,
	} {
		c := parleyv1connect.NewRegistrarServiceClient(m.https(tls.VersionTLS13), "https://"+m.addr, opts...)
		ch, err := c.Challenge(t.Context(), &v1.ChallengeRequest{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = c.RegisterNode(t.Context(), &v1.RegisterNodeRequest{
			PeerId: m.newcomer().Peer.String(), Nonce: ch.GetNonce(), Credential: &v1.RegisterNodeRequest_EnrolmentCode{EnrolmentCode: "x"},
		})
		if got := connect.CodeOf(err); got != connect.CodePermissionDenied {
			t.Errorf("%s: %v: %v", name, got, err)
		}
		ce, _ := err.(*connect.Error)
		if ce == nil || len(ce.Details()) != 1 {
			t.Fatalf("%s: no detail in %v", name, err)
		}
		v, err := ce.Details()[0].Value()
		if f, ok := v.(*v1.Fault); err != nil || !ok || f.GetStatus() != http.StatusForbidden || f.GetCode() != errRefused.Code || f.GetCause() != "" {
			t.Errorf("%s: detail %v, %v", name, v, err)
		}
	}
}

func TestHealthAndTLS(t *testing.T) {
	m := newMinistry(t)
	res, err := m.https(tls.VersionTLS13).Post("https://"+m.addr+"/"+grpchealth.HealthV1ServiceName+"/Check", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if !strings.Contains(string(b), "SERVING") {
		t.Errorf("health: %s", b)
	}
	if res.TLS.Version != tls.VersionTLS13 {
		t.Errorf("TLS %x", res.TLS.Version)
	}
	if res, err := m.https(tls.VersionTLS12).Get("https://" + m.addr); err == nil {
		_ = res.Body.Close()
		t.Error("TLS 1.2 is spoken")
	}
	other := [32]byte{1}
	c := client.OverTLS(m.addr, &other)
	defer c.Close()
	a := m.newcomer()
	a.Code = m.code()
	if _, err := c.Register(t.Context(), a); err == nil || !strings.Contains(err.Error(), client.ErrOtherRegistrar.Code) {
		t.Errorf("another fingerprint: %v", err)
	}
	c = client.OverTLS(m.addr, nil)
	defer c.Close()
	if _, err := c.Register(t.Context(), a); err == nil || !strings.Contains(err.Error(), client.ErrUntrusted.Code) {
		t.Errorf("without a fingerprint: %v", err)
	}
}

// spec: 11-registrars M12
func TestStrangersRegisterOverTheirOwnConnection(t *testing.T) {
	m := newMinistry(t)
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.Peerstore().AddAddrs(m.node.ID(), m.node.Addrs(), time.Hour)
	c := client.OverStream(h, m.node.ID(), m.node.Network().Tag)
	defer c.Close()
	a := m.certified(m.ca, certs.SM2, -time.Hour, time.Hour, "")
	if _, err := c.Register(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if rec := m.last(); !strings.HasPrefix(rec.Addr, "/ip4/127.0.0.1/") {
		t.Errorf("recorded %+v", rec)
	}
	a.Network[0] ^= 1
	if _, err := c.Register(t.Context(), a); err == nil || !strings.Contains(err.Error(), client.ErrOtherNetwork.Code) {
		t.Errorf("another network's: %v", err)
	}
}

func TestTheSelfMadeCertificateStays(t *testing.T) {
	dir := t.TempDir()
	a, err := Certificate(dir, "", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Certificate(dir, "", "", time.Now())
	if err != nil || Fingerprint(a) != Fingerprint(b) {
		t.Errorf("another one at the second start: %v", err)
	}
	if _, err := Certificate(dir, "x", "", time.Now()); err == nil {
		t.Error("a certificate without a key is taken")
	}
}

// The audit log tells of members that come, whoever admitted them first.
func TestLoginsAreRecorded(t *testing.T) {
	m := newMinistry(t)
	dir := t.TempDir()
	member, err := node.OpenMember(dir, ptr(loadInvite(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.overTLS().Register(t.Context(), client.Applicant{
		Network: m.node.Network().ID, Peer: member.ID(), Sign: member.Sign, Code: m.code(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.SaveTicket(dir, g.Record, g.Ticket); err != nil {
		t.Fatal(err)
	}
	if err := member.Remember(g.Peers); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir)
	for c := range m.node.Watch(t.Context()) {
		if c.ID == n.ID() && c.Admitted {
			break
		}
	}
	for range 1000 { // the log follows the same watch; each record waits for the disk
		for i := range m.audit.Size() {
			if rec := m.recordAt(i); rec.Op == audit.OpLogin && rec.Actor == n.ID().String() && strings.HasPrefix(rec.Addr, "/ip4/127.0.0.1/") {
				return
			}
		}
		if err := m.record(t.Context(), audit.Record{Op: audit.OpAdmin, Reason: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("no record of the login")
}

func loadInvite(t testing.TB, m *ministry) node.Invite {
	t.Helper()
	f, err := node.LoadNetwork(m.node.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return f.Invite(nil)
}

func ptr[T any](v T) *T { return &v }
