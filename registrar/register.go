package registrar

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/certs"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/internal/codes"
	"github.com/parley-chat/parley/registrar/internal/guard"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// refusal is why somebody is not admitted: one word for the audit log, and what
// an expert reads there. The caller learns neither.
type refusal struct {
	reason string
	cause  error
}

func (r *refusal) Error() string { return r.reason + ": " + r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

// detail says what was wrong; what to do about it is not the log's matter.
func (r *refusal) detail() string {
	if f, ok := fault.As(r.cause); ok {
		return f.What
	}
	return r.cause.Error()
}

func refuse(reason string, cause error) *refusal { return &refusal{reason, cause} }

// applicant is who wants to register: what he claims, checked for form alone.
type applicant struct {
	caller
	peer peer.ID
	key  [32]byte // of peer
	zone string
}

func newApplicant(c caller, req *v1.RegisterNodeRequest) (applicant, error) {
	p, err := peer.Decode(req.GetPeerId())
	if err != nil {
		return applicant{}, errMalformed.Withf("the peer ID is none").With(err)
	}
	key, err := wire.Author(p)
	if err != nil {
		return applicant{}, errMalformed.Withf("the peer ID has no Ed25519 key").With(err)
	}
	if err := node.ValidateZone(req.GetZone()); err != nil {
		return applicant{}, errMalformed.Withf("%v", err)
	}
	if req.GetCredential() == nil {
		return applicant{}, errMalformed.Withf("the registration has neither certificate nor code nor ticket")
	}
	return applicant{caller: c, peer: p, key: key, zone: req.GetZone()}, nil
}

// attempt is what the guard counts. Who was admitted before and comes over libp2p,
// which proves who it is, does not stand for what strangers at its address do; a
// peer ID that is claimed proves nothing.
//
// spec: 11-registrars §3.4
func (r *Registrar) attempt(c caller, claimed peer.ID) guard.Attempt {
	return guard.Attempt{
		Addr: c.addr, Peer: string(claimed),
		Admitted: c.peer != "" && c.peer == claimed && r.node.Knows(c.peer),
	}
}

// register admits one node, or not. Each of both is on the audit log's disk when
// it returns, also if the caller has not waited for the answer. A registrar that
// was taken out of the set admits nobody and spends no code.
//
// spec: 11-registrars §3
func (r *Registrar) register(ctx context.Context, c caller, req *v1.RegisterNodeRequest) (*v1.RegisterNodeResponse, error) {
	a, err := newApplicant(c, req)
	if err != nil {
		return nil, err
	}
	now, attempt := r.node.Now(), r.attempt(c, a.peer)
	if v := r.guard.Allow(now, attempt); !v.OK() {
		r.linger(ctx, c)
		return nil, busy(v)
	}
	if !r.inSet() { // spec: 11-registrars M13
		return nil, errUnable.With(ErrNotRegistrar)
	}
	ctx = context.WithoutCancel(ctx)
	g, how, err := r.examine(a, req, now)
	if no := new(refusal); errors.As(err, &no) {
		r.guard.Failed(now, attempt)
		return nil, r.refused(ctx, a, no)
	}
	if err != nil {
		return nil, err
	}
	r.guard.Succeeded(now, attempt)
	return r.admit(ctx, a, g, how, now)
}

// examine checks what the applicant shows, the cheap first. how says what admits.
func (r *Registrar) examine(a applicant, req *v1.RegisterNodeRequest, now time.Time) (g grant, how string, err error) {
	if err := r.nonces.check(req.GetNonce(), now); err != nil {
		return grant{}, "", refuse("nonce", err)
	}
	said := statement.Of(statement.Peer, r.node.Network().ID, r.key, a.key, req.GetNonce())
	if !ed25519.Verify(a.key[:], said, req.GetPeerSignature()) {
		return grant{}, "", refuse("peer_proof", errors.New("the signature is not the peer key's over this nonce"))
	}
	// From here on it is this peer's own doing; the nonce is spent.
	switch err := r.nonces.use(req.GetNonce(), now); {
	case errors.Is(err, errNonceFull):
		return grant{}, "", errUnable.With(err)
	case err != nil:
		return grant{}, "", refuse("nonce", err)
	}
	if rev, revoked := r.chat.Registry().Revoked(a.peer); revoked {
		return grant{}, "", refuse("revoked", fmt.Errorf("revoked by %s: %s", rev.By, rev.Reason))
	}
	g = grant{peer: a.key, role: uint32(hello.RoleNode), zone: a.zone}
	switch cred := req.GetCredential().(type) {
	case *v1.RegisterNodeRequest_Certificate:
		g.final, how, err = r.byCertificate(a, cred.Certificate, req.GetNonce(), now)
	case *v1.RegisterNodeRequest_EnrolmentCode:
		how, err = r.byCode(a, cred.EnrolmentCode, now)
	case *v1.RegisterNodeRequest_Ticket:
		g.final, how, err = r.byTicket(a, cred.Ticket, now)
	default:
		err = errMalformed
	}
	return g, how, err
}

func (r *Registrar) byCertificate(a applicant, c *v1.Certificate, nonce []byte, now time.Time) (final time.Time, how string, err error) {
	if r.cfg.Roots == nil {
		return time.Time{}, "", refuse("authority", errors.New("no certificate authority is trusted here"))
	}
	leaf, err := r.cfg.Roots.Verify(c.GetChain(), a.peer.String(), now)
	if err != nil {
		return time.Time{}, "", refuse(certs.Reason(err), err)
	}
	said := statement.Of(statement.Certificate, r.node.Network().ID, r.key, a.key, nonce)
	if err := leaf.CheckProof(said, c.GetSignature()); err != nil {
		return time.Time{}, "", refuse(certs.Reason(err), err)
	}
	return leaf.NotAfter, fmt.Sprintf("certificate %x of %s", leaf.Fingerprint, leaf.Subject), nil
}

func (r *Registrar) byCode(a applicant, text string, now time.Time) (how string, err error) {
	err = r.codes.Redeem(text, a.peer.String(), now)
	for known, reason := range map[error]string{
		codes.ErrMistyped: "code_typing", codes.ErrWrong: "code_wrong", codes.ErrExpired: "code_expired", codes.ErrUsed: "code_used",
	} {
		if errors.Is(err, known) {
			return "", refuse(reason, known)
		}
	}
	if err != nil {
		return "", errUnable.With(err)
	}
	c, err := codes.Parse(text)
	return "code " + c.Name(), err
}

// byTicket renews. What the node registered with is not asked for again, until it
// ends itself.
func (r *Registrar) byTicket(a applicant, signed []byte, now time.Time) (final time.Time, how string, err error) {
	t, err := r.rules(now).Verify(signed, a.key)
	if err != nil {
		return time.Time{}, "", refuse("ticket", err)
	}
	return t.Final, "ticket", nil
}

func (r *Registrar) isRegistrar(key [32]byte) bool {
	return slices.Contains(r.node.Registrars(), wire.PeerID(key))
}

func (r *Registrar) admit(ctx context.Context, a applicant, g grant, how string, now time.Time) (*v1.RegisterNodeResponse, error) {
	signed, renew, err := r.issue(ctx, g, how, now)
	if err != nil {
		return nil, errUnable.With(err)
	}
	_, err = r.audit.Append(ctx, r.complete(a.caller, audit.Record{Op: audit.OpRegister, Actor: a.peer.String(), Detail: how}))
	if err != nil {
		return nil, errUnable.With(err)
	}
	if _, err := r.showTicket(a.key, signed, now); err != nil { // so that its first heartbeat needs no other proof
		return nil, errUnable.With(err)
	}
	return r.answer(a, signed, renew, now), nil
}

// record puts into the audit log what no caller is the cause of.
func (r *Registrar) record(ctx context.Context, rec audit.Record) error {
	_, err := r.audit.Append(ctx, r.complete(caller{}, rec))
	return err
}

// complete adds when it was, and where the caller is in the network.
func (r *Registrar) complete(c caller, rec audit.Record) audit.Record {
	rec.Time, rec.Addr = r.node.Now(), c.multiaddr
	rec.MAC = r.neighbours.MAC(c.addr, rec.Time)
	return rec
}
