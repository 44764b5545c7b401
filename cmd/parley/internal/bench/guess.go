package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"connectrpc.com/connect"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
)

// guesserConns is how many connections guesses share.
const guesserConns = 32

// Guesses says how wrong codes are to be tried.
type Guesses struct {
	At   Desk
	From string // address, not that of the callers
	Load
}

// Guess registers with wrong codes. What it tells of failed calls is how many were
// not refused.
func (c *Callers) Guess(g Guesses, out *Calls) error {
	var rpcs []parleyv1connect.RegistrarServiceClient
	for range guesserConns {
		t := guesser(g)
		defer t.CloseIdleConnections()
		rpcs = append(rpcs, parleyv1connect.NewRegistrarServiceClient(&http.Client{Transport: t}, "https://"+g.At.Addr, connect.WithGRPC()))
	}
	one, err := newCaller(g.At, "")
	if err != nil {
		return err
	}
	req := &v1.RegisterNodeRequest{
		PeerId: one.applicant.Peer.String(), Nonce: make([]byte, 56), PeerSignature: make([]byte, 64),
		Credential: &v1.RegisterNodeRequest_EnrolmentCode{EnrolmentCode: rand.Text()},
	}
	r := newRun()
	r.pace(c.ctx, g.Rate, int(g.Rate*g.For.Seconds()), func(ctx context.Context, i int) error {
		_, err := rpcs[i%len(rpcs)].RegisterNode(ctx, req)
		switch connect.CodeOf(err) {
		case connect.CodePermissionDenied, connect.CodeResourceExhausted:
			return nil
		case connect.CodeUnavailable, connect.CodeCanceled, connect.CodeDeadlineExceeded:
			return err
		}
		return errors.New("a wrong code was not refused")
	})
	return r.tell(out)
}

// guesser is a connection of its own from another address.
func guesser(g Guesses) *http.Transport {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(g.From)}}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true} // the fingerprint is compared instead
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if sha256.Sum256(s.PeerCertificates[0].Raw) != g.At.Fingerprint {
			return errors.New("another certificate")
		}
		return nil
	}
	return &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true, DialContext: dialer.DialContext}
}
