package registrar

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
)

// ministry is a certified network's registrar on loopback, with a CA.
type ministry struct {
	*Registrar
	t           testing.TB
	ca          *certs.Authority
	addr        string
	fingerprint [32]byte
}

func newMinistry(t testing.TB, change ...func(*node.Config)) *ministry {
	t.Helper()
	return newMinistryIn(t, t.TempDir(), change...)
}

func newMinistryIn(t testing.TB, dir string, change ...func(*node.Config)) *ministry {
	t.Helper()
	now := time.Now()
	m := &ministry{t: t, ca: newCA(t, certs.Ed25519)}
	if _, err := node.CreateNetwork(dir, "Ministry", node.ModeCertified); err != nil {
		t.Fatal(err)
	}
	member, err := node.OpenMember(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.AddRegistrar(dir, member.ID()); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir, change...)
	roots, err := certs.ParseRoots(m.ca.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	if m.Registrar, err = Open(n, openChat(t, n), Config{Roots: roots, linger: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	cert, err := Certificate(dir, "", "", now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr, m.fingerprint = l.Addr().String(), Fingerprint(cert)
	if err := m.Serve(l, cert); err != nil {
		t.Fatal(err)
	}
	return m
}

func startNode(t testing.TB, dir string, change ...func(*node.Config)) *node.Node {
	t.Helper()
	cfg := node.Config{Dir: dir, NoMDNS: true, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}}
	for _, f := range change {
		f(&cfg)
	}
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func openChat(t testing.TB, n *node.Node) *chat.Messenger {
	t.Helper()
	m, err := chat.Open(t.Context(), n, chat.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func newCA(t testing.TB, alg certs.Algorithm) *certs.Authority {
	t.Helper()
	now := time.Now()
	ca, err := certs.NewAuthority(rand.Reader, alg, "Ministry CA", now.Add(-time.Hour), now.Add(10*365*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// newcomer is a peer that wants to join, without a node.
func (m *ministry) newcomer() client.Applicant {
	m.t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	pub, err := crypto.UnmarshalEd25519PublicKey(public)
	if err != nil {
		m.t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		m.t.Fatal(err)
	}
	return client.Applicant{
		Network: m.node.Network().ID, Peer: id, Zone: "ward 3",
		Sign: func(msg []byte) []byte { return ed25519.Sign(key, msg) },
	}
}

// certified is a newcomer with a certificate of ca, from and until in hours from
// now, for peerID ("" is its own).
func (m *ministry) certified(ca *certs.Authority, alg certs.Algorithm, from, until time.Duration, peerID string) client.Applicant {
	m.t.Helper()
	a := m.newcomer()
	if peerID == "" {
		peerID = a.Peer.String()
	}
	key, err := certs.GenerateKey(rand.Reader, alg)
	if err != nil {
		m.t.Fatal(err)
	}
	now := time.Now()
	issued, err := ca.Issue(rand.Reader, peerID, key.Public(), now.Add(from), now.Add(until))
	if err != nil {
		m.t.Fatal(err)
	}
	if a.Chain, err = certs.ParseChain(issued.PEM); err != nil {
		m.t.Fatal(err)
	}
	a.Key = key
	return a
}

func (m *ministry) code() string {
	m.t.Helper()
	texts, err := m.NewCodes(m.t.Context(), 1, time.Hour)
	if err != nil {
		m.t.Fatal(err)
	}
	return texts[0]
}

func (m *ministry) overTLS() *client.Client {
	c := client.OverTLS(m.addr, &m.fingerprint)
	m.t.Cleanup(c.Close)
	return c
}

// last is the newest record of the audit log.
func (m *ministry) last() audit.Record {
	m.t.Helper()
	return m.recordAt(m.audit.Size() - 1)
}

func (m *ministry) recordAt(i int64) audit.Record {
	m.t.Helper()
	r, err := audit.NewReader(filepath.Join(m.node.Dir(), "audit"), i)
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Close()
	line, err := r.Line()
	if err != nil {
		m.t.Fatal(err)
	}
	rec, err := audit.ParseRecord(line)
	if err != nil {
		m.t.Fatal(err)
	}
	return rec
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
