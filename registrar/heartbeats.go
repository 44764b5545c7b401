package registrar

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/internal/directory"
	"github.com/parley-chat/parley/registrar/internal/guard"
)

// maxSkew is by how much the clock of who sends a heartbeat may differ from this
// registrar's: as much as tickets allow. What keeps an old heartbeat from counting
// again is its number.
//
// spec: 11-registrars §6.2
const maxSkew = ticket.Backdate

// unproven bounds what is verified for callers whose connection proves nothing. It
// is wide, for members call over TLS too, and what it bounds is time of the
// processors alone; who is let through has a budget by its key.
var unproven = guard.Config{
	Address: guard.Rate{PerSecond: 1000, Burst: 6000}, Network: guard.Rate{PerSecond: 2000, Burst: 10_000},
	Strangers: guard.Rate{PerSecond: 4000, Burst: 20_000}, Local: guard.Rate{PerSecond: 10_000, Burst: 50_000},
}

func (s *service) Heartbeat(ctx context.Context, req *v1.HeartbeatRequest) (*v1.HeartbeatResponse, error) {
	res, err := s.heartbeat(ctx, callerOf(ctx), req)
	if err != nil {
		return nil, travel(err)
	}
	return res, nil
}

// heartbeat notes that a member is there. It is its own proof, so it may come over
// TLS as well as from the peer itself.
//
// spec: 11-registrars §6.2
func (r *Registrar) heartbeat(ctx context.Context, c caller, req *v1.HeartbeatRequest) (*v1.HeartbeatResponse, error) {
	now := r.node.Now()
	h, err := r.readHeartbeat(ctx, c, req.GetHeartbeat(), now)
	if err != nil {
		return nil, err
	}
	m, err := r.memberOf(ctx, c, h, req.GetTicket(), now)
	if err != nil {
		return nil, err
	}
	res := &v1.HeartbeatResponse{IntervalMs: uint32(r.directory.Interval().Milliseconds())}
	if m == nil {
		res.TicketWanted = true
		return res, nil
	}
	if err := r.note(h, req.GetHeartbeat(), *m, r.key); err != nil {
		return nil, err
	}
	res.Overloaded = r.directory.Overloaded()
	return res, nil
}

// readHeartbeat verifies a heartbeat, from budgets that strangers cannot use up for
// those who are known here and come over libp2p.
func (r *Registrar) readHeartbeat(ctx context.Context, c caller, signed []byte, now time.Time) (*heartbeat.Heartbeat, error) {
	if !r.inSet() {
		return nil, errUnable.With(ErrNotRegistrar)
	}
	budget := r.unproven
	attempt := r.attempt(c, c.peer)
	if attempt.Admitted {
		budget = r.guard
	}
	if v := budget.Allow(now, attempt); !v.OK() {
		return nil, busy(v)
	}
	h, err := heartbeat.Decode(r.node.Network().ID, signed)
	switch {
	case errors.Is(err, heartbeat.ErrForm):
		return nil, errHeartbeat.With(err)
	case err != nil:
		return nil, r.reject(ctx, c, c.peer, refuse("heartbeat", err), now)
	case c.peer != "" && c.peer != wire.PeerID(h.Author):
		return nil, r.reject(ctx, c, c.peer, refuse("heartbeat", errors.New("it is another peer's")), now)
	}
	if skew := time.UnixMilli(h.Time).Sub(now); skew > maxSkew || skew < -maxSkew {
		return nil, errClock
	}
	return h, nil
}

// memberOf says what admits the author of a verified heartbeat; nil if its ticket is
// not known here and was not shown.
func (r *Registrar) memberOf(ctx context.Context, c caller, h *heartbeat.Heartbeat, signed []byte, now time.Time) (*member, error) {
	m, known := r.memberNow(h.Author, now)
	attempt := r.attempt(c, wire.PeerID(h.Author))
	if known && !attempt.Admitted { // proven by its signature instead
		attempt.Admitted = true
		if v := r.guard.Allow(now, attempt); !v.OK() {
			return nil, busy(v)
		}
	}
	if len(signed) == 0 {
		return ifKnown(m, known), nil
	}
	if !attempt.Admitted {
		if v := r.guard.Allow(now, attempt); !v.OK() {
			return nil, busy(v)
		}
	}
	m, err := r.showTicket(h.Author, signed, now)
	if err != nil {
		r.guard.Failed(now, attempt)
		return nil, r.refused(ctx, applicant{caller: c, peer: wire.PeerID(h.Author)}, refuse("ticket", err))
	}
	return &m, nil
}

func ifKnown(m member, known bool) *member {
	if !known {
		return nil
	}
	return &m
}

// reject puts into the audit log what no honest caller sends, as far as the budget of
// strangers allows, and returns what the caller is told.
func (r *Registrar) reject(ctx context.Context, c caller, claimed peer.ID, no *refusal, now time.Time) error {
	attempt := r.attempt(c, claimed)
	if v := r.guard.Allow(now, attempt); !v.OK() {
		return busy(v)
	}
	r.guard.Failed(now, attempt)
	return r.refused(ctx, applicant{caller: c, peer: claimed}, no)
}

// note hands a member's heartbeat, which came to the registrar via, to the directory.
func (r *Registrar) note(h *heartbeat.Heartbeat, signed []byte, m member, via [32]byte) error {
	short := ticket.ShortOf(h.Zone, [4]byte(m.Short[4:])) // a node may have moved since it registered
	about := directory.Member{Short: short, Registrar: r.isRegistrar(h.Author), Ticket: m.signed}
	switch r.directory.Heard(h, signed, about, via) {
	case directory.Noted:
		return nil
	case directory.Stale:
		return errOldBeat
	case directory.Gone:
		return errRefused
	default:
		return errUnable
	}
}
