package registrar

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
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
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// admits checks that a registration ends with a good ticket and a record of it.
func (m *ministry) admits(a client.Applicant, how string) ticket.Ticket {
	m.t.Helper()
	g, err := m.overTLS().Register(m.t.Context(), a)
	if err != nil {
		m.t.Fatalf("%s: %v", how, err)
	}
	key, err := wire.Author(a.Peer)
	if err != nil {
		m.t.Fatal(err)
	}
	rules := ticket.Rules{Network: a.Network, Registrar: m.isRegistrar, Now: time.Now()}
	tk, err := rules.Verify(g.Ticket, key)
	if err != nil {
		m.t.Fatalf("%s: %v", how, err)
	}
	if tk.Zone != a.Zone || !bytes.Equal(g.Record, m.node.Record()) || len(g.Peers) == 0 || g.Peers[0].ID != m.node.ID() {
		m.t.Errorf("%s: ticket %+v, peers %v", how, tk, g.Peers)
	}
	if rec := m.last(); rec.Op != audit.OpRegister || rec.Actor != a.Peer.String() || !strings.Contains(rec.Detail, how) || !strings.HasPrefix(rec.Addr, "/ip4/127.0.0.1/") {
		m.t.Errorf("%s: recorded %+v", how, rec)
	}
	return tk
}

// spec: 11-registrars M7
func TestCertificatesOfEachKindAdmit(t *testing.T) {
	m := newMinistry(t)
	for _, alg := range []certs.Algorithm{certs.Ed25519, certs.P256, certs.P384, certs.SM2} {
		m.admits(m.certified(m.ca, alg, -time.Hour, time.Hour, ""), "certificate")
	}
}

// spec: 11-registrars M8
func TestATicketEndsWithItsCertificate(t *testing.T) {
	m := newMinistry(t)
	a := m.certified(m.ca, certs.P256, -time.Hour, time.Hour, "")
	tk := m.admits(a, "certificate")
	if left := time.Until(tk.NotAfter); left > time.Hour || tk.Final != tk.NotAfter {
		t.Errorf("holds for %v, at most until %v", left, tk.Final)
	}
	signed, err := m.overTLS().Register(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	a.Chain, a.Key, a.Ticket = nil, nil, signed.Ticket
	if again := m.admits(a, "ticket"); again.Final != tk.Final || again.NotAfter.After(tk.Final) {
		t.Errorf("renewed beyond the certificate: until %v", again.NotAfter)
	}
}

func TestACodeAdmitsOnce(t *testing.T) {
	m := newMinistry(t)
	a, b := m.newcomer(), m.newcomer()
	a.Code = m.code()
	b.Code = a.Code
	tk := m.admits(a, "code")
	if !tk.Final.IsZero() || time.Until(tk.NotAfter) < ticket.Life-time.Minute {
		t.Errorf("%+v", tk)
	}
	m.admits(a, "code") // the answer may have been lost
	m.refuses(b, "code_used")
	a.Code, a.Ticket = "", mustRegister(t, m, a).Ticket
	m.admits(a, "ticket")
}

func mustRegister(t testing.TB, m *ministry, a client.Applicant) client.Grant {
	t.Helper()
	g, err := m.overTLS().Register(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refuses checks that a registration ends without a word of why, and that the
// audit log has it.
func (m *ministry) refuses(a client.Applicant, reason string) {
	m.t.Helper()
	_, err := m.overTLS().Register(m.t.Context(), a)
	m.refused(err, a, reason)
}

func (m *ministry) refused(err error, a client.Applicant, reason string) {
	m.t.Helper()
	if !errors.Is(err, errRefused) {
		m.t.Errorf("%s: %v", reason, err)
	}
	rec := m.last()
	if rec.Op != audit.OpRefuse || rec.Reason != reason || rec.Actor != a.Peer.String() || rec.Detail == "" {
		m.t.Errorf("%s: recorded %+v", reason, rec)
	}
}

// spec: 11-registrars M9
func TestWhoIsNotAdmitted(t *testing.T) {
	m := newMinistry(t)
	other := newCA(t, certs.Ed25519)
	own := func(from, until time.Duration, peerID string) client.Applicant {
		return m.certified(m.ca, certs.P256, from, until, peerID)
	}
	foreign := newMinistry(t)
	for name, test := range map[string]struct {
		a      client.Applicant
		reason string
	}{
		"expired":      {own(-2*time.Hour, -time.Hour, ""), certs.Reason(certs.ErrExpired)},
		"not yet":      {own(time.Hour, 2*time.Hour, ""), certs.Reason(certs.ErrNotYetValid)},
		"another peer": {own(-time.Hour, time.Hour, m.node.ID().String()), certs.Reason(certs.ErrPeer)},
		"another CA":   {m.certified(other, certs.P256, -time.Hour, time.Hour, ""), certs.Reason(certs.ErrAuthority)},
		"another key": {func() client.Applicant {
			a := own(-time.Hour, time.Hour, "")
			a.Key, _ = certs.GenerateKey(rand.Reader, certs.P256)
			return a
		}(), certs.Reason(certs.ErrProof)},
		"rubbish": {func() client.Applicant {
			a := own(-time.Hour, time.Hour, "")
			a.Chain = [][]byte{{1, 2, 3}}
			return a
		}(), certs.Reason(certs.ErrMalformed)},
		"a made-up code": {func() client.Applicant { a := m.newcomer(); a.Code = foreign.code(); return a }(), "code_wrong"},
		"a typing error": {func() client.Applicant { a := m.newcomer(); a.Code = "hello"; return a }(), "code_typing"},
		"no ticket":      {func() client.Applicant { a := m.newcomer(); a.Ticket = []byte{1}; return a }(), "ticket"},
		"another's ticket": {func() client.Applicant {
			a, b := m.newcomer(), m.newcomer()
			b.Code = m.code()
			a.Ticket = mustRegister(t, m, b).Ticket
			return a
		}(), "ticket"},
		"another network's ticket": {func() client.Applicant {
			a := foreign.newcomer()
			a.Code = foreign.code()
			a.Ticket = mustRegister(t, foreign, a).Ticket
			a.Code, a.Network = "", m.node.Network().ID
			return a
		}(), "ticket"},
		"another's signature": {func() client.Applicant {
			a := m.newcomer()
			a.Code, a.Sign = m.code(), m.newcomer().Sign
			return a
		}(), "peer_proof"},
	} {
		t.Run(name, func(t *testing.T) {
			m := *m
			m.t = t
			m.refuses(test.a, test.reason)
		})
	}
}

// spec: 11-registrars M6
func TestAReplayedRegistrationIsRefused(t *testing.T) {
	m := newMinistry(t)
	a := m.newcomer()
	key, err := wire.Author(a.Peer)
	if err != nil {
		t.Fatal(err)
	}
	nonce := m.nonces.draw(m.node.Now())
	req := &v1.RegisterNodeRequest{
		PeerId: a.Peer.String(), Nonce: nonce,
		PeerSignature: a.Sign(statement.Of(statement.Peer, a.Network, m.key, key, nonce)),
		Credential:    &v1.RegisterNodeRequest_EnrolmentCode{EnrolmentCode: m.code()},
	}
	if _, err := m.register(t.Context(), caller{}, req); err != nil {
		t.Fatal(err)
	}
	_, err = m.register(t.Context(), caller{}, req)
	m.refused(err, a, "nonce")
	req.Nonce = bytes.Clone(nonce)
	req.Nonce[0] ^= 1
	_, err = m.register(t.Context(), caller{}, req)
	m.refused(err, a, "nonce")
	// A nonce that was signed for another registrar is worth nothing here.
	fresh := m.nonces.draw(m.node.Now())
	req.Nonce, req.PeerSignature = fresh, a.Sign(statement.Of(statement.Peer, a.Network, [32]byte{1}, key, fresh))
	_, err = m.register(t.Context(), caller{}, req)
	m.refused(err, a, "peer_proof")
}

func TestWhatIsNoRegistration(t *testing.T) {
	m := newMinistry(t)
	good := &v1.RegisterNodeRequest_Ticket{Ticket: []byte{1}}
	before := m.audit.Size()
	for name, req := range map[string]*v1.RegisterNodeRequest{
		"nothing":         {},
		"no peer ID":      {PeerId: "somebody", Credential: good},
		"no Ed25519 key":  {PeerId: "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", Credential: good},
		"a zone too long": {PeerId: m.node.ID().String(), Zone: strings.Repeat("z", 65), Credential: good},
		"no credential":   {PeerId: m.node.ID().String()},
	} {
		if _, err := m.register(t.Context(), caller{}, req); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := m.audit.Size(); got != before {
		t.Errorf("%d records of what named nobody", got-before)
	}
}

// Who guesses codes is soon told to wait, and what a registrar does for him then
// is nothing.
//
// spec: 11-registrars M10
func TestGuessersAreLockedOut(t *testing.T) {
	m := newMinistry(t)
	a := m.newcomer()
	a.Code = "EHRZ-BW17-3PK8-42G3-9SFQ-7M46-2468"
	var err error
	tries := 0
	for ; tries < 20 && !errors.Is(err, guard.ErrLocked); tries++ {
		_, err = m.overTLS().Register(t.Context(), a)
	}
	if !errors.Is(err, guard.ErrLocked) || tries > 10 {
		t.Fatalf("after %d guesses: %v", tries, err)
	}
	for range 10 { // for longer than the test takes; its address is free
		m.guard.Failed(m.node.Now(), guard.Attempt{Addr: mustAddr("127.0.0.1"), Peer: string(a.Peer)})
	}
	before := m.audit.Size()
	if _, err = m.overTLS().Register(t.Context(), a); !errors.Is(err, guard.ErrLocked) || m.audit.Size() != before {
		t.Errorf("locked: %v, %d records more", err, m.audit.Size()-before)
	}
	b := m.newcomer() // at the same address
	b.Code = m.code()
	m.admits(b, "code")
}

func TestNobodyElseIsARegistrar(t *testing.T) {
	dir := t.TempDir()
	if _, err := node.CreateNetwork(dir, "Ministry", node.ModeCertified); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir)
	if _, err := Open(n, openChat(t, n), Config{}); !errors.Is(err, ErrNotRegistrar) {
		t.Error(err)
	}
}

func TestARegistrarHasATicketOfItsOwn(t *testing.T) {
	m := newMinistry(t)
	own, found := m.node.Ticket()
	if !found || own.Registrar != m.node.ID() {
		t.Errorf("%+v", own)
	}
}

// A call under way when the registrar ends is not answered half.
func TestCloseEndsWhatServes(t *testing.T) {
	m := newMinistry(t)
	c := m.overTLS()
	a := m.newcomer()
	a.Code = m.code()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(context.WithoutCancel(t.Context()), a); !errors.Is(err, client.ErrUnreachable) {
		t.Error(err)
	}
}

// Who keeps a registrar that can admit nobody is told why, once until it works again.
func TestWhyNobodyIsAdmittedIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	r := &Registrar{log: slog.New(slog.NewTextHandler(&log, nil))}
	full := errUnable.With(errors.New("the disk is full"))
	for _, err := range []error{full, full, errRefused, full, nil, full} {
		r.tellUnable(err)
	}
	if n := strings.Count(log.String(), "the disk is full"); n != 2 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}
