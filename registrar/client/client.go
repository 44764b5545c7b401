// Package client registers a node with a registrar of its network.
//
//	c := client.OverTLS("registrar.example:7331", &fingerprint)   // or OverStream
//	defer c.Close()
//	g, err := c.Register(ctx, client.Applicant{…, Code: code})
//	info, err := node.SaveTicket(dir, g.Record, g.Ticket)
package client

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/internal/statement"
	"github.com/parley-chat/parley/registrar/internal/stream"
)

const (
	maxAnswer = 256 << 10        // bytes of one answer: part of a directory
	maxRecord = 4 << 10          // bytes of the network record in it
	callTime  = 20 * time.Second // for both calls of a registration

	// streamIdle is for how long an unused stream stays open: longer than most nodes wait
	// between two heartbeats, and shorter than the registrar has patience.
	streamIdle = 50 * time.Second
)

// Applicant is who registers, and with what: with one of a certificate, a code
// and a ticket.
type Applicant struct {
	Network [32]byte
	Peer    peer.ID
	Sign    func(msg []byte) []byte // with the key of Peer
	Zone    string

	Chain [][]byte      // certificates in DER, the own one first
	Key   crypto.Signer // the own certificate's key

	Code   string // one-time enrolment code
	Ticket []byte // the ticket that is to be renewed
}

// Grant is what a registrar hands out.
type Grant struct {
	Ticket []byte          // of this node, signed by the registrar that was asked; whether that is in the set is not checked yet
	Record []byte          // signed by the root, which is not verified yet
	Peers  []peer.AddrInfo // to begin with
	Renew  time.Time
	Ahead  time.Duration // by how much the registrar's clock is ahead of ours
}

// Client talks with one registrar. Its methods may be called by any goroutine.
type Client struct {
	http      *http.Client
	rpc       parleyv1connect.RegistrarServiceClient
	registrar peer.ID // who has to answer; empty: whoever the certificate is of
	streams   streams
}

// OverTLS is a client of the registrar at HOST:PORT. With a fingerprint its
// certificate must be that one; without, one that this machine trusts.
func OverTLS(addr string, fingerprint *[32]byte) *Client {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if fingerprint != nil {
		want := *fingerprint
		cfg.InsecureSkipVerify = true // the fingerprint is compared instead
		cfg.VerifyConnection = func(s tls.ConnectionState) error {
			if sha256.Sum256(s.PeerCertificates[0].Raw) != want {
				return errOtherRegistrar
			}
			return nil
		}
	}
	t := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute}
	return newClient(t, "https://"+addr)
}

// OverStream is a client of the registrar p, over a stream of h, which knows where
// it is.
func OverStream(h host.Host, p peer.ID, tag string) *Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true) // libp2p has encrypted the stream
	var c *Client
	c = newClient(&http.Transport{
		Protocols:       &protocols,
		IdleConnTimeout: streamIdle,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.streams.keep(stream.Dial(ctx, h, p, tag))
		},
	}, "http://registrar")
	c.registrar = p
	return c
}

func newClient(t *http.Transport, url string) *Client {
	c := &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a code is for the registrar alone
	}}
	return &Client{http: c, rpc: parleyv1connect.NewRegistrarServiceClient(c, url, connect.WithGRPC(), connect.WithReadMaxBytes(maxAnswer))}
}

// Close ends the connections; over streams calls under way too.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.streams.close()
}

// Register asks to be admitted. Errors: those of this package, and what the
// registrar answers.
func (c *Client) Register(ctx context.Context, a Applicant) (Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	ch, err := c.rpc.Challenge(ctx, &v1.ChallengeRequest{})
	if err != nil {
		return Grant{}, failure(err)
	}
	registrar, err := c.check(ch, a.Network)
	if err != nil {
		return Grant{}, err
	}
	req, err := a.request(registrar, ch.GetNonce())
	if err != nil {
		return Grant{}, err
	}
	begin := time.Now()
	res, err := c.rpc.RegisterNode(ctx, req)
	if err != nil {
		return Grant{}, failure(err)
	}
	if len(res.GetNetworkRecord()) > maxRecord || !a.own(res.GetTicket(), registrar) {
		return Grant{}, ErrAnswer
	}
	g := Grant{Ticket: res.GetTicket(), Record: res.GetNetworkRecord(), Renew: res.GetRenewTime().AsTime(), Peers: peersOf(res)}
	if t := res.GetServerTime(); t != nil {
		g.Ahead = t.AsTime().Sub(begin.Add(time.Since(begin) / 2))
	}
	return g, nil
}

// check checks a challenge, whose words are signed, and returns the registrar's key.
func (c *Client) check(ch *v1.ChallengeResponse, network [32]byte) (registrar [32]byte, err error) {
	if !bytes.Equal(ch.GetNetworkId(), network[:]) {
		return registrar, ErrOtherNetwork
	}
	p, err := peer.Decode(ch.GetRegistrar())
	if err != nil {
		return registrar, ErrAnswer.With(err)
	}
	if c.registrar != "" && p != c.registrar || len(ch.GetNonce()) != statement.NonceSize {
		return registrar, ErrAnswer
	}
	if registrar, err = wire.Author(p); err != nil {
		return registrar, ErrAnswer.With(err)
	}
	return registrar, nil
}

// own reports whether the ticket is of this applicant and this registrar's: another
// would take the place of a good one.
func (a *Applicant) own(signed []byte, registrar [32]byte) bool {
	t, err := ticket.Parse(signed)
	return err == nil && t.Network == a.Network && wire.PeerID(t.Peer) == a.Peer && t.Issuer == registrar
}

// request signs what the registrar asks for.
func (a *Applicant) request(registrar [32]byte, nonce []byte) (*v1.RegisterNodeRequest, error) {
	own, err := wire.Author(a.Peer)
	if err != nil {
		return nil, err
	}
	said := func(label string) []byte { return statement.Of(label, a.Network, registrar, own, nonce) }
	req := &v1.RegisterNodeRequest{
		PeerId: a.Peer.String(), Nonce: nonce, PeerSignature: a.Sign(said(statement.Peer)), Zone: a.Zone,
	}
	switch {
	case a.Chain != nil:
		sig, err := certs.Sign(rand.Reader, a.Key, said(statement.Certificate))
		if err != nil {
			return nil, err
		}
		req.Credential = &v1.RegisterNodeRequest_Certificate{Certificate: &v1.Certificate{Chain: a.Chain, Signature: sig}}
	case a.Code != "":
		req.Credential = &v1.RegisterNodeRequest_EnrolmentCode{EnrolmentCode: a.Code}
	default:
		req.Credential = &v1.RegisterNodeRequest_Ticket{Ticket: a.Ticket}
	}
	return req, nil
}

// peersOf takes what can be read of the peers that the answer names: they are
// hearsay until hello.
func peersOf(res *v1.RegisterNodeResponse) (out []peer.AddrInfo) {
	for _, b := range res.GetBootstrapPeers() {
		p, err := peer.Decode(b.GetPeerId())
		if err != nil {
			continue
		}
		info := peer.AddrInfo{ID: p}
		for _, text := range b.GetAddrs() {
			if addr, err := ma.NewMultiaddr(text); err == nil {
				info.Addrs = append(info.Addrs, addr)
			}
		}
		if len(info.Addrs) > 0 {
			out = append(out, info)
		}
	}
	return out
}

// failure turns what a call returned into a fault: the registrar's own, or one of
// this package.
func failure(err error) error {
	if errors.Is(err, errOtherRegistrar) {
		return ErrOtherRegistrar
	}
	if bad := new(tls.CertificateVerificationError); errors.As(err, &bad) {
		return ErrUntrusted.With(err)
	}
	if bad := new(x509.UnknownAuthorityError); errors.As(err, bad) {
		return ErrUntrusted.With(err)
	}
	ce := new(connect.Error)
	if !errors.As(err, &ce) {
		return ErrUnreachable.With(err)
	}
	for _, d := range ce.Details() {
		v, err := d.Value()
		if m, ok := v.(*v1.Fault); err == nil && ok && showable(m) {
			return restore(m)
		}
	}
	switch ce.Code() {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled: // the last also for a reset
		return ErrUnreachable.With(ce)
	default:
		return ErrAnswer.With(ce)
	}
}
