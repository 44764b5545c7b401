package registrar

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"connectrpc.com/vanguard"
	"google.golang.org/protobuf/types/known/timestamppb"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/api/parley/v1/parleyv1connect"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/internal/guard"
)

const (
	// maxRequest bounds one message to the registrar, in bytes: a chain of
	// certificates and what is round it.
	maxRequest = 32 << 10
	// maxBootstrap is how many admitted nodes an answer names.
	maxBootstrap = 16
)

// handler is the whole of the API: gRPC, gRPC-Web, Connect and REST.
func (r *Registrar) handler() (http.Handler, error) {
	const name = parleyv1connect.RegistrarServiceName
	path, rpc := parleyv1connect.NewRegistrarServiceHandler(&service{Registrar: r}, connect.WithReadMaxBytes(maxRequest),
		connect.WithInterceptors(doorkeeper{r}), connect.WithCompressMinBytes(maxRequest)) // answers are keys and signatures, which zip to nothing
	rest, err := vanguard.NewTranscoder([]*vanguard.Service{vanguard.NewService(path, rpc, vanguard.WithMaxMessageBufferBytes(maxRequest))})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", rest)
	mux.Handle(grpchealth.NewHandler(grpchealth.NewStaticChecker(name)))
	mux.Handle(grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector(name, grpchealth.HealthV1ServiceName)))
	return r.bounded(http.MaxBytesHandler(mux, 2*maxRequest)), nil
}

// bounded turns away who has too many calls under way. The guard bounds how many
// there are a second; a body that comes slowly is held for longer.
func (r *Registrar) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		leave, end, ok := r.begin(callerOf(req.Context()))
		if !ok {
			w.Header().Set("Retry-After", "1")
			hangUp(w)
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		defer end()
		if r.turnsAway(w, req, leave) {
			return
		}
		next.ServeHTTP(w, req.WithContext(withLine(req.Context(), w, leave)))
	})
}

// begin is told of a call, for which Close waits until its end. leave gives up the place
// that strangers have before that.
func (r *Registrar) begin(c caller) (leave, end func(), ok bool) {
	leave = func() {}
	if c.peer == "" || !r.node.Knows(c.peer) {
		if leave, ok = r.calls.Enter(c.addr); !ok {
			return nil, nil, false
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		leave()
		return nil, nil, false
	}
	r.wg.Add(1)
	return leave, func() { leave(); r.wg.Done() }, true
}

// service answers the calls.
type service struct {
	*Registrar
}

var _ parleyv1connect.RegistrarServiceHandler = (*service)(nil)

func (s *service) Challenge(ctx context.Context, _ *v1.ChallengeRequest) (*v1.ChallengeResponse, error) {
	c := callerOf(ctx)
	if v := s.guard.Allow(s.node.Now(), s.attempt(c, c.peer)); !v.OK() {
		s.linger(ctx, c)
		return nil, travel(busy(v))
	}
	id := s.node.Network().ID
	return &v1.ChallengeResponse{Nonce: s.nonces.draw(s.node.Now()), NetworkId: id[:], Registrar: s.node.ID().String()}, nil
}

func (s *service) RegisterNode(ctx context.Context, req *v1.RegisterNodeRequest) (*v1.RegisterNodeResponse, error) {
	res, err := s.register(ctx, callerOf(ctx), req)
	s.tellUnable(err)
	if err != nil {
		return nil, travel(err)
	}
	return res, nil
}

// tellUnable logs why nobody can be admitted, once, until it works again: the
// caller is told no more than that it does not.
func (r *Registrar) tellUnable(err error) {
	switch {
	case err == nil:
		r.unable.Store(false)
	case errors.Is(err, errUnable) && !r.unable.Swap(true):
		r.log.Error("nobody can be admitted", "err", err)
	}
}

// answer is what a node gets that was admitted.
func (r *Registrar) answer(a applicant, signed []byte, renew, now time.Time) *v1.RegisterNodeResponse {
	return &v1.RegisterNodeResponse{
		Code: http.StatusOK, Ticket: signed, NetworkRecord: r.node.Record(),
		BootstrapPeers: bootstrap(r.node, a.zone),
		RenewTime:      timestamppb.New(renew), ServerTime: timestamppb.New(now),
	}
}

// bootstrap names this node and some that are admitted here, those of the zone
// first.
func bootstrap(n *node.Node, zone string) []*v1.BootstrapPeer {
	self := &v1.BootstrapPeer{PeerId: n.ID().String()}
	for _, a := range n.Addrs() {
		self.Addrs = append(self.Addrs, a.String())
	}
	near, far := []*v1.BootstrapPeer{self}, []*v1.BootstrapPeer(nil)
	for _, p := range n.Peers() {
		b := &v1.BootstrapPeer{PeerId: p.ID.String()}
		for _, a := range p.Addrs {
			b.Addrs = append(b.Addrs, a.String())
		}
		if zone != "" && p.Zone == zone {
			near = append(near, b)
		} else {
			far = append(far, b)
		}
	}
	all := append(near, far...)
	return all[:min(len(all), maxBootstrap)]
}

// busyError is a refusal of the guard, with when to try again.
type busyError struct {
	error
	after time.Duration
}

func (b busyError) Unwrap() error { return b.error }

func busy(v guard.Verdict) error { return busyError{v.Err(), v.RetryAfter} }

// travel gives an error the form in which it goes to the caller: the Connect code
// by what it means, and the fault as a detail. A refusal is PERMISSION_DENIED with
// the code 403, which is HTTP's status over REST too.
func travel(err error) error {
	f, ok := fault.As(err)
	if !ok {
		f = errUnable
	}
	code := connect.CodeUnavailable
	detail := &v1.Fault{Code: f.Code, Blame: uint32(f.Blame), What: f.What, Do: f.Do}
	b := busyError{}
	switch {
	case errors.Is(err, errMembers):
		code, detail.Status = connect.CodeUnauthenticated, http.StatusUnauthorized
	case errors.Is(err, errRefused):
		code, detail.Status = connect.CodePermissionDenied, http.StatusForbidden
	case errors.Is(err, audit.ErrForked), errors.Is(err, audit.ErrUnfit):
		code, detail.Status = connect.CodeFailedPrecondition, http.StatusBadRequest
	case errors.Is(err, errMalformed), errors.Is(err, errHeartbeat), errors.Is(err, errClock), errors.Is(err, errOldBeat):
		code, detail.Status = connect.CodeInvalidArgument, http.StatusBadRequest
	case errors.As(err, &b):
		code, detail.Status = connect.CodeResourceExhausted, http.StatusTooManyRequests
	}
	ce := connect.NewError(code, errors.New(f.What))
	if d, err := connect.NewErrorDetail(detail); err == nil {
		ce.AddDetail(d)
	}
	if b.after > 0 {
		ce.Meta().Set("Retry-After", retryAfter(b.after))
	}
	return ce
}
