package registrar

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/internal/guard"
	"github.com/parley-chat/parley/registrar/internal/statement"
)

// Who may call what. A procedure that stands in none of them is nobody's to call.
var (
	forAll        = []string{parleyv1connect.RegistrarServiceChallengeProcedure, parleyv1connect.RegistrarServiceRegisterNodeProcedure, parleyv1connect.RegistrarServiceHeartbeatProcedure}
	forMembers    = []string{parleyv1connect.RegistrarServiceListNodesProcedure, parleyv1connect.RegistrarServiceWatchNodesProcedure}
	forRegistrars = []string{parleyv1connect.RegistrarServiceShareHeartbeatsProcedure, parleyv1connect.RegistrarServiceCosignProcedure}
)

// colleague is what one registrar may ask of another: as much as the heartbeats of a
// directory that is full.
var colleagues = guard.Config{Peer: guard.Rate{PerSecond: 100, Burst: 2000}, Entries: 64}

// doorkeeper lets calls in, unary ones and streams alike.
//
// spec: 11-registrars §6.4
type doorkeeper struct{ *Registrar }

var _ connect.Interceptor = doorkeeper{}

// WrapUnary lets a call in, or not.
func (d doorkeeper) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, err := d.letIn(ctx, req.Spec().Procedure, req.Header())
		if err != nil {
			return nil, travel(err)
		}
		return next(ctx, req)
	}
}

// WrapStreamingHandler lets a stream in, or not.
func (d doorkeeper) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, err := d.letIn(ctx, conn.Spec().Procedure, conn.RequestHeader())
		if err != nil {
			return travel(err)
		}
		return next(ctx, conn)
	}
}

// WrapStreamingClient is of no use here.
func (doorkeeper) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// standing is by what right somebody calls as a member.
type standing struct {
	peer  peer.ID
	holds func() bool // still
}

type standingKey struct{}

func standingOf(ctx context.Context) standing {
	s, _ := ctx.Value(standingKey{}).(standing)
	return s
}

func (d doorkeeper) letIn(ctx context.Context, procedure string, header http.Header) (context.Context, error) {
	c := callerOf(ctx)
	switch {
	case slices.Contains(forAll, procedure):
		return ctx, nil // each has budgets of its own
	case slices.Contains(forRegistrars, procedure):
		return ctx, d.asRegistrar(ctx, c)
	case !slices.Contains(forMembers, procedure):
		return ctx, errMalformed
	case !d.inSet(): // spec: 11-registrars M13
		return ctx, errUnable.With(ErrNotRegistrar)
	}
	s, err := d.asMember(ctx, c, header.Get("Authorization"))
	if err != nil {
		return ctx, err
	}
	holds := s.holds
	s.holds = func() bool { return holds() && d.inSet() }
	return context.WithValue(ctx, standingKey{}, s), nil
}

// asRegistrar lets other registrars of the set in, whose streams prove who they are.
func (d doorkeeper) asRegistrar(ctx context.Context, c caller) error {
	now := d.node.Now()
	key, err := wire.Author(c.peer)
	if err != nil || c.peer == d.node.ID() || !d.isRegistrar(key) {
		return d.reject(ctx, c, c.peer, refuse("registrar", errors.New("a call that is for registrars alone")), now)
	}
	if v := d.colleagues.Allow(now, guard.Attempt{Peer: string(c.peer), Admitted: true}); !v.OK() {
		return busy(v)
	}
	return nil
}

// asMember lets members in: over a stream who is admitted at this node, over TLS who
// shows a ticket and that it is its own.
func (d doorkeeper) asMember(ctx context.Context, c caller, header string) (standing, error) {
	now := d.node.Now()
	if v := d.guard.Allow(now, d.attempt(c, c.peer)); !v.OK() {
		return standing{}, busy(v)
	}
	if c.peer != "" {
		s := standing{c.peer, func() bool { return d.node.Admitted(c.peer) }}
		if !s.holds() {
			return standing{}, errMembers
		}
		return s, nil
	}
	if header == "" {
		return standing{}, errMembers
	}
	key, err := d.identify(header, now)
	if err != nil {
		d.guard.Failed(now, d.attempt(c, ""))
		return standing{}, d.refused(ctx, applicant{caller: c}, refuse("call", err))
	}
	return standing{wire.PeerID(key), func() bool {
		_, ok := d.memberNow(key, d.node.Now())
		return ok
	}}, nil
}

// identify says who signed an authorization: a member, over a nonce of this registrar's
// that nobody used.
func (r *Registrar) identify(header string, now time.Time) (key [32]byte, err error) {
	signed, nonce, signature, ok := statement.ParseAuthorization(header)
	if !ok {
		return key, errors.New("the header is not in the form of an authorization")
	}
	if err := r.nonces.check(nonce, now); err != nil {
		return key, err
	}
	t, err := ticket.Parse(signed)
	if err != nil {
		return key, err
	}
	said := statement.Of(statement.Call, r.node.Network().ID, r.key, t.Peer, nonce)
	if !ed25519.Verify(t.Peer[:], said, signature) {
		return key, errors.New("the signature is not the ticket's peer's over this nonce")
	}
	if err := r.nonces.use(nonce, now); err != nil {
		return key, err
	}
	_, err = r.showTicket(t.Peer, signed, now)
	return t.Peer, err
}
