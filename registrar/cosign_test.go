package registrar

import (
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/client"
)

const fastCosign = 20 * time.Millisecond

// colleague is a further registrar of the network, which knows those before.
func (m *ministry) colleague() *ministry {
	m.t.Helper()
	dir := m.t.TempDir()
	id, err := node.OpenMember(dir, ptr(loadInvite(m.t, m)))
	if err != nil {
		m.t.Fatal(err)
	}
	own, _ := m.node.Ticket()
	f, err := node.AddRegistrar(m.node.Dir(), id.ID())
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.node.SetTicket(f.Record, own.Signed); err != nil { // as the record comes to the node
		m.t.Fatal(err)
	}
	g := mustRegister(m.t, m, client.Applicant{Network: f.ID, Peer: id.ID(), Sign: id.Sign, Code: m.code()})
	if _, err := node.SaveTicket(dir, g.Record, g.Ticket); err != nil {
		m.t.Fatal(err)
	}
	if err := id.Remember(g.Peers); err != nil {
		m.t.Fatal(err)
	}
	c := &ministry{t: m.t}
	n := startNode(m.t, dir)
	if c.Registrar, err = Open(n, openChat(m.t, n), Config{cosignEvery: fastCosign}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = c.Close() })
	return c
}

// threeRegistrars are those of one network, and know each other.
func threeRegistrars(t *testing.T) (a, b, c *ministry) {
	t.Helper()
	a = newMinistry(t)
	b, c = a.colleague(), a.colleague()
	if err := b.node.SetTicket(a.node.Record(), mustTicket(b)); err != nil { // b has the set of before
		t.Fatal(err)
	}
	for _, m := range []*ministry{a, b, c} {
		others := 0
		for change := range m.node.Watch(t.Context()) {
			if change.Admitted && slices.Contains(m.node.Registrars(), change.ID) {
				others++
			}
			if others == 2 {
				break
			}
		}
	}
	a.reopen()
	return a, b, c
}

func mustTicket(m *ministry) []byte {
	t, _ := m.node.Ticket()
	return t.Signed
}

// reopen ends the registrar, not the node, and begins again.
func (m *ministry) reopen() {
	m.t.Helper()
	if err := m.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.opened()
}

func (m *ministry) opened() {
	m.t.Helper()
	var err error
	if m.Registrar, err = Open(m.node, m.chat, Config{cosignEvery: fastCosign}); err != nil {
		m.t.Fatal(err)
	}
	r := m.Registrar
	m.t.Cleanup(func() { _ = r.Close() })
}

// cosignedBy waits until a log, as it is now or later, is cosigned by these.
func (m *ministry) cosignedBy(by ...*ministry) audit.Report {
	m.t.Helper()
	trusted := []peer.ID{m.node.ID()}
	for _, other := range by {
		trusted = append(trusted, other.node.ID())
	}
	size := m.audit.Size()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		rep, err := audit.Verify(m.t.Context(), m.auditDir(), audit.Options{Trusted: trusted})
		if err != nil && !errors.Is(err, audit.ErrUnsaid) {
			m.t.Fatal(err)
		}
		if rep.Cosigned >= size && len(rep.Cosigners) == len(by) {
			return rep
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%d records, cosigned by %d up to %d", size, len(rep.Cosigners), rep.Cosigned)
		}
	}
}

func (m *ministry) auditDir() string { return filepath.Join(m.node.Dir(), audit.DirName) }

func (m *ministry) changes(n int) {
	m.t.Helper()
	for range n {
		if err := m.record(m.t.Context(), audit.Record{Op: audit.OpAdmin, Reason: "test"}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// Each registrar's log is cosigned by both others; one that was away does it when
// it is back, though it has missed some; and nothing more is asked for then.
//
// spec: 12-audit M9, M10
func TestRegistrarsCosignEachOther(t *testing.T) {
	a, b, c := threeRegistrars(t)
	a.cosignedBy(b, c)
	b.cosignedBy(a, c)
	c.cosignedBy(a, b)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a.changes(5)
		a.cosignedBy(b)
	}
	c.opened()
	a.cosignedBy(b, c)
	before := a.cosignatures()
	time.Sleep(20 * fastCosign)
	if after := a.cosignatures(); after != before {
		t.Errorf("%d cosignatures became %d though nothing happened", before, after)
	}
}

func (m *ministry) cosignatures() int {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join(m.auditDir(), "cosigned.jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.Count(string(data), "\n")
}

// A registrar whose log was set back and went on otherwise gets no signature. Who
// found it has a record of it, keeps both histories' checkpoints, and tells at each
// verification; it goes on to cosign for others.
//
// spec: 12-audit M14
func TestAForkIsFoundAndTold(t *testing.T) {
	a, b, c := threeRegistrars(t)
	a.cosignedBy(b, c)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(a.auditDir())); err != nil {
		t.Fatal(err)
	}
	a.opened()
	a.changes(3)
	a.cosignedBy(b, c)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(a.auditDir()), os.CopyFS(a.auditDir(), os.DirFS(old))); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(a.auditDir(), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	a.opened()
	a.changes(9)
	for _, other := range []*ministry{b, c} {
		rec := other.awaits(func(rec audit.Record) bool { return rec.Reason == "forked" })
		if rec.Op != audit.OpRefuse || rec.Actor != a.node.ID().String() || !strings.Contains(rec.Detail, "has forked: with ") {
			t.Errorf("%+v", rec)
		}
		rep, err := audit.Verify(t.Context(), other.auditDir(), audit.Options{Trusted: []peer.ID{other.node.ID()}})
		if err != nil || !slices.Equal(rep.Forked, []peer.ID{a.node.ID()}) {
			t.Errorf("forked: %v, %v", rep.Forked, err)
		}
	}
	b.changes(1)
	b.cosignedBy(a, c)
	rep, err := audit.Verify(t.Context(), a.auditDir(), audit.Options{Trusted: []peer.ID{a.node.ID(), b.node.ID(), c.node.ID()}})
	if err != nil || rep.Cosigned > rep.Records-9 {
		t.Errorf("the forked log is cosigned up to %d of %d, %v", rep.Cosigned, rep.Records, err)
	}
}

// Nobody but a registrar of the set, whom libp2p has proven, is cosigned for, and
// nobody for another or with what is no proof.
//
// spec: 12-audit M13
func TestWhoIsNotCosigned(t *testing.T) {
	a, b, _ := threeRegistrars(t)
	a.cosignedBy(b)
	point, _ := a.audit.Checkpoint()
	other, _ := b.audit.Checkpoint()
	colleague := caller{peer: a.node.ID()}
	for what, try := range map[string]struct {
		from caller
		req  *v1.CosignRequest
		want *fault.Error
	}{
		"another's checkpoint":    {colleague, &v1.CosignRequest{Checkpoint: other.Note}, audit.ErrUnfit},
		"no checkpoint":           {colleague, &v1.CosignRequest{Checkpoint: []byte("x")}, audit.ErrUnfit},
		"hashes of another size":  {colleague, &v1.CosignRequest{Checkpoint: point.Note, Proof: [][]byte{{1}}}, audit.ErrUnfit},
		"more hashes than can be": {colleague, &v1.CosignRequest{Checkpoint: point.Note, Proof: slices.Repeat([][]byte{make([]byte, 32)}, 65)}, audit.ErrUnfit},
	} {
		res, err := b.cosign(t.Context(), try.from, try.req)
		if !errors.Is(err, try.want) {
			t.Errorf("%s: %v, %v", what, res, err)
		}
	}
	res, err := b.cosign(t.Context(), colleague, &v1.CosignRequest{Checkpoint: point.Note, SeenSize: 1 << 40})
	if err != nil || len(res.Cosigned) > 0 || res.SeenSize == 0 {
		t.Errorf("another size than was seen: %v, %v", res, err)
	}
	if err := a.attach(b.node.ID(), point.Note); !errors.Is(err, audit.ErrUnfit) {
		t.Errorf("a note that nobody cosigned is attached: %v", err)
	}
	a.strangerIsNotCosigned(b, point.Note)
}

// strangerIsNotCosigned asks over the wire, over both ways.
func (m *ministry) strangerIsNotCosigned(b *ministry, note []byte) {
	m.t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		m.t.Fatal(err)
	}
	defer h.Close()
	h.Peerstore().AddAddrs(b.node.ID(), b.node.Addrs(), time.Hour)
	overStream := client.OverStream(h, b.node.ID(), b.node.Network().Tag)
	defer overStream.Close()
	for what, c := range map[string]*client.Client{"TLS": b.served(), "a stream": overStream} {
		_, _, err := c.Cosign(m.t.Context(), note, nil, 0)
		if f, ok := fault.As(err); !ok || f.Code != errRefused.Code {
			m.t.Errorf("over %s: %v", what, err)
		}
	}
}

// served is a client over TLS.
func (m *ministry) served() *client.Client {
	m.t.Helper()
	cert, err := Certificate(m.node.Dir(), "", "", time.Now())
	if err != nil {
		m.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.Serve(l, cert); err != nil {
		m.t.Fatal(err)
	}
	f := Fingerprint(cert)
	c := client.OverTLS(l.Addr().String(), &f)
	m.t.Cleanup(c.Close)
	return c
}

// Whatever moment a kill comes, the logs are whole, and nobody has a signature that
// who gave it does not remember.
//
// spec: 12-audit M9
func TestCosigningIsWholeAtEachMoment(t *testing.T) {
	a, b, c := threeRegistrars(t)
	by := map[*ministry]string{}
	for range 4 {
		a.changes(7)
		for _, m := range []*ministry{a, b, c} { // who has a signature before who gave it
			by[m] = t.TempDir()
			if err := os.CopyFS(by[m], os.DirFS(m.auditDir())); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		trusted := []peer.ID{a.node.ID(), b.node.ID(), c.node.ID()}
		for m, dir := range maps.All(by) {
			if _, err := audit.Verify(t.Context(), dir, audit.Options{Trusted: trusted}); err != nil && !errors.Is(err, audit.ErrUnsaid) {
				t.Errorf("%s: %v", m.node.ID(), err)
			}
		}
		rep, _ := audit.Verify(t.Context(), by[a], audit.Options{Trusted: trusted})
		for _, m := range []*ministry{b, c} {
			seen := seenIn(t, by[m], a.node.ID())
			if slices.Contains(rep.Cosigners, m.node.ID()) && seen < rep.Cosigned {
				t.Errorf("signed %d records and remembers %d", rep.Cosigned, seen)
			}
		}
		a.cosignedBy(b, c)
	}
}

func seenIn(t *testing.T, dir string, of peer.ID) int64 {
	t.Helper()
	msg, err := os.ReadFile(filepath.Join(dir, "seen", of.String()+".note"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := audit.ParseCheckpoint(msg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Size
}
