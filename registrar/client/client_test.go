package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// liar is a registrar that answers what the test wants.
type liar struct {
	parleyv1connect.UnimplementedRegistrarServiceHandler
	challenge *v1.ChallengeResponse
	response  *v1.RegisterNodeResponse
	err       error
	asked     *v1.RegisterNodeRequest
}

func (l *liar) Challenge(context.Context, *v1.ChallengeRequest) (*v1.ChallengeResponse, error) {
	return l.challenge, nil
}

func (l *liar) RegisterNode(_ context.Context, req *v1.RegisterNodeRequest) (*v1.RegisterNodeResponse, error) {
	l.asked = req
	return l.response, l.err
}

type keyPair struct {
	id   peer.ID
	key  [32]byte
	sign func([]byte) []byte
}

func newKey(t testing.TB) keyPair {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := keyPair{key: [32]byte(public), sign: func(b []byte) []byte { return ed25519.Sign(private, b) }}
	k.id = wire.PeerID(k.key)
	return k
}

func (l *liar) serve(t *testing.T) *Client {
	t.Helper()
	_, h := parleyv1connect.NewRegistrarServiceHandler(l)
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	c := newClient(s.Client().Transport.(*http.Transport), s.URL)
	t.Cleanup(c.Close)
	return c
}

func signed(t testing.TB, network [32]byte, of, by keyPair) []byte {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	tk := ticket.Ticket{Network: network, Peer: of.key, Issuer: by.key, Role: 1, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	b, err := tk.Sign(by.sign)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Who answers in a registrar's place, or a registrar that means ill, gets no
// signature over words of its own and hands out no ticket that would take the
// place of a good one.
func TestAnswersOfAnIllRegistrar(t *testing.T) {
	own, registrar, other := newKey(t), newKey(t), newKey(t)
	network := [32]byte{7}
	a := Applicant{Network: network, Peer: own.id, Sign: own.sign, Code: "x"}
	challenge := func(change func(*v1.ChallengeResponse)) *v1.ChallengeResponse {
		ch := &v1.ChallengeResponse{NetworkId: network[:], Registrar: registrar.id.String(), Nonce: make([]byte, statement.NonceSize)}
		change(ch)
		return ch
	}
	none := func(*v1.ChallengeResponse) {}
	grants := func(b []byte) *v1.RegisterNodeResponse { return &v1.RegisterNodeResponse{Ticket: b} }
	good := grants(signed(t, network, own, registrar))
	for name, test := range map[string]struct {
		ch   *v1.ChallengeResponse
		res  *v1.RegisterNodeResponse
		want error
	}{
		"as it should be":    {challenge(none), good, nil},
		"another network":    {challenge(func(ch *v1.ChallengeResponse) { ch.NetworkId = make([]byte, 32) }), good, ErrOtherNetwork},
		"no network":         {challenge(func(ch *v1.ChallengeResponse) { ch.NetworkId = nil }), good, ErrOtherNetwork},
		"a long nonce":       {challenge(func(ch *v1.ChallengeResponse) { ch.Nonce = append(ch.Nonce, 0) }), good, ErrAnswer},
		"no nonce":           {challenge(func(ch *v1.ChallengeResponse) { ch.Nonce = nil }), good, ErrAnswer},
		"no registrar":       {challenge(func(ch *v1.ChallengeResponse) { ch.Registrar = "x" }), good, ErrAnswer},
		"another registrar":  {challenge(func(ch *v1.ChallengeResponse) { ch.Registrar = other.id.String() }), good, ErrAnswer},
		"another's ticket":   {challenge(none), grants(signed(t, network, other, registrar)), ErrAnswer},
		"another's to sign":  {challenge(none), grants(signed(t, network, own, other)), ErrAnswer},
		"of another network": {challenge(none), grants(signed(t, [32]byte{8}, own, registrar)), ErrAnswer},
		"no ticket":          {challenge(none), grants(nil), ErrAnswer},
		"a huge record":      {challenge(none), &v1.RegisterNodeResponse{Ticket: good.GetTicket(), NetworkRecord: make([]byte, maxRecord+1)}, ErrAnswer},
		"a huge answer":      {challenge(none), &v1.RegisterNodeResponse{Ticket: make([]byte, maxAnswer+1)}, ErrAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			l := &liar{challenge: test.ch, response: test.res}
			c := l.serve(t)
			c.registrar = registrar.id
			_, err := c.Register(t.Context(), a)
			if test.want == nil && err != nil || !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if test.res == good && test.want != nil && l.asked != nil {
				t.Error("signed what it should not")
			}
		})
	}
}

// What a fault says comes from whoever answers: a terminal must not be told what
// to do by it.
func TestFaultsThatAreNotShown(t *testing.T) {
	for name, test := range map[string]struct {
		f    *v1.Fault
		code string
	}{
		"fine":       {&v1.Fault{Code: "P6011", Blame: 1, What: "登记处不接纳", Do: "ask"}, "P6011"},
		"an escape":  {&v1.Fault{Code: "P6011", Blame: 1, What: "\x1b]0;x\a"}, ErrAnswer.Code},
		"a new line": {&v1.Fault{Code: "P6011", Blame: 1, Do: "a\nb"}, ErrAnswer.Code},
		"long":       {&v1.Fault{Code: "P6011", Blame: 1, What: strings.Repeat("x", maxText+1)}, ErrAnswer.Code},
		"no code":    {&v1.Fault{Blame: 1, What: "x"}, ErrAnswer.Code},
		"a blame":    {&v1.Fault{Code: "P6011", Blame: 1 << 20}, ErrAnswer.Code},
	} {
		ce := connect.NewError(connect.CodePermissionDenied, errors.New("x"))
		d, err := connect.NewErrorDetail(test.f)
		if err != nil {
			t.Fatal(err)
		}
		ce.AddDetail(d)
		if f, ok := fault.As(failure(ce)); !ok || f.Code != test.code {
			t.Errorf("%s: %v", name, failure(ce))
		}
	}
}

// A code goes to the registrar and nowhere else.
func TestNobodyIsSentElsewhere(t *testing.T) {
	asked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer elsewhere.Close()
	s := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	c := newClient(s.Client().Transport.(*http.Transport), s.URL)
	defer c.Close()
	if _, err := c.Register(t.Context(), Applicant{}); err == nil || asked {
		t.Errorf("%v, followed %v", err, asked)
	}
}

// FuzzAnswer holds that no answer of a registrar makes a node panic or take a
// ticket that is not its own.
func FuzzAnswer(f *testing.F) {
	own, registrar := newKey(f), newKey(f)
	network := [32]byte{7}
	f.Add(registrar.id.String(), make([]byte, statement.NonceSize), network[:], signed(f, network, own, registrar), "/ip4/192.0.2.1/tcp/1")
	f.Add("", []byte{}, []byte{}, []byte{}, "")
	a := Applicant{Network: network, Peer: own.id, Sign: own.sign, Code: "x"}
	f.Fuzz(func(t *testing.T, id string, nonce, net, tk []byte, addr string) {
		ch := &v1.ChallengeResponse{Registrar: id, Nonce: nonce, NetworkId: net}
		key, err := new(Client).check(ch, network)
		if err == nil {
			if _, err := a.request(key, nonce); err != nil {
				t.Error(err)
			}
		}
		if a.own(tk, key) && (err != nil || len(tk) > ticket.MaxSize) {
			t.Error("a ticket that nobody asked for is taken")
		}
		res := &v1.RegisterNodeResponse{BootstrapPeers: []*v1.BootstrapPeer{{PeerId: id, Addrs: []string{addr}}}}
		for _, p := range peersOf(res) {
			if p.ID == "" || len(p.Addrs) != 1 {
				t.Errorf("%v", p)
			}
		}
		_ = failure(connect.NewError(connect.Code(len(nonce)), errors.New(id)))
	})
}
