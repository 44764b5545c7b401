package registrar

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/registrar/client"
	"github.com/parley-chat/parley/registrar/internal/directory"
)

// Pace of passing heartbeats on. spec: 11-registrars §6.7
const (
	shareEvery = 250 * time.Millisecond // at most so often to one registrar
	shareAgain = time.Second            // after a failure, or while it is not there
	shareTime  = 2 * time.Second        // for one call
	shareBytes = 24 << 10               // of one call
	maxShared  = 512                    // heartbeats that are taken of one call
)

var errUncounted = errors.New("of a time or an author that does not count")

// beatItself has the directory know this registrar, and others through it.
func (r *Registrar) beatItself() {
	tick := time.NewTicker(heartbeat.MinInterval)
	defer tick.Stop()
	for {
		if r.inSet() {
			r.hearItself(r.pulse.Next(heartbeat.MinInterval))
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Registrar) hearItself(signed []byte) {
	t, ok := r.node.Ticket()
	if !ok {
		return
	}
	_, err := r.take(&v1.HeartbeatRequest{Heartbeat: signed, Ticket: t.Signed}, r.key)
	if err != nil {
		r.log.Error("the registrar's own heartbeat does not count", "err", err)
	}
}

// take notes a heartbeat that came to the registrar via, and returns whose ticket is
// wanted, if any.
func (r *Registrar) take(req *v1.HeartbeatRequest, via [32]byte) (wanted peer.ID, err error) {
	now := r.node.Now()
	h, err := heartbeat.Decode(r.node.Network().ID, req.GetHeartbeat())
	if err != nil {
		return "", err
	}
	if skew := time.UnixMilli(h.Time).Sub(now); skew > maxSkew || skew < -maxSkew {
		return "", errUncounted
	}
	m, known := r.memberNow(h.Author, now)
	if signed := req.GetTicket(); len(signed) > 0 {
		if m, err = r.showTicket(h.Author, signed, now); err != nil {
			return "", err
		}
	} else if !known {
		return wire.PeerID(h.Author), nil
	}
	return "", r.note(h, req.GetHeartbeat(), m, via)
}

// ShareHeartbeats takes what another registrar heard. One that does not count is passed
// over: it may be older than what came here meanwhile.
//
// spec: 11-registrars §6.7
func (s *service) ShareHeartbeats(ctx context.Context, req *v1.ShareHeartbeatsRequest) (*v1.ShareHeartbeatsResponse, error) {
	from := callerOf(ctx).peer
	via, err := wire.Author(from)
	if err != nil || len(req.GetHeartbeats()) > maxShared {
		return nil, travel(errMalformed)
	}
	if !s.inSet() {
		return nil, travel(errUnable.With(ErrNotRegistrar))
	}
	res := &v1.ShareHeartbeatsResponse{}
	for _, h := range req.GetHeartbeats() {
		wanted, err := s.take(h, via)
		if err != nil {
			s.log.Debug("a heartbeat that was passed on does not count", "peer", from, "err", err)
		}
		if wanted != "" {
			res.TicketsWanted = append(res.TicketsWanted, wanted.String())
		}
	}
	return res, nil
}

// shareAll passes heartbeats on to each other registrar, as long as it is one.
func (r *Registrar) shareAll() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	stop := make(map[peer.ID]context.CancelFunc)
	for {
		set := r.node.Registrars()
		for _, p := range set {
			if _, runs := stop[p]; runs || p == r.node.ID() {
				continue
			}
			ctx, cancel := context.WithCancel(r.ctx)
			stop[p] = cancel
			r.wg.Go(func() { r.shareWith(ctx, p) }) // r.wg is not done before this goroutine
		}
		for p, cancel := range stop {
			if !slices.Contains(set, p) {
				cancel()
				delete(stop, p)
			}
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			for _, cancel := range stop {
				cancel()
			}
			return
		}
	}
}

// sayGoodbye tells the other registrars that this one ends: else they would have to wait
// for its silence.
func (r *Registrar) sayGoodbye() {
	t, ok := r.node.Ticket()
	if !ok || !r.inSet() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace/2)
	defer cancel()
	word := []client.Shared{{Heartbeat: r.pulse.Goodbye(), Ticket: t.Signed}}
	var wg sync.WaitGroup
	for _, p := range r.node.Registrars() {
		if !r.node.Admitted(p) {
			continue
		}
		wg.Go(func() {
			c := client.OverStream(r.node.PublicHost(), p, r.node.Network().Tag)
			defer c.Close()
			if _, err := c.Share(ctx, word); err != nil {
				r.log.Debug("no goodbye to a registrar", "peer", p, "err", err)
			}
		})
	}
	wg.Wait()
}

// shareWith passes on to p what came here: all that is there when they meet, then what
// comes.
func (r *Registrar) shareWith(ctx context.Context, p peer.ID) {
	for ctx.Err() == nil {
		if r.node.Admitted(p) {
			err := r.share(ctx, p)
			r.log.Debug("a registrar takes no heartbeats now", "peer", p, "err", err)
		}
		pause(ctx, shareAgain)
	}
}

// share does so until it fails.
func (r *Registrar) share(ctx context.Context, p peer.ID) error {
	c := client.OverStream(r.node.PublicHost(), p, r.node.Network().Tag)
	defer c.Close()
	for reports := r.directory.Reports(); ; pause(ctx, shareEvery) {
		news, err := reports.Next(ctx)
		if err != nil {
			return err
		}
		for len(news) > 0 {
			n := portion(news)
			if err := r.pass(ctx, c, news[:n]); err != nil {
				return err
			}
			news = news[n:]
		}
	}
}

// portion is how many of the first reports one call takes, with their tickets: at least
// one.
func portion(news []directory.Report) (n int) {
	for size := 0; n < len(news); n++ {
		size += len(news[n].Heartbeat) + len(news[n].Ticket) + 16
		if n > 0 && size > shareBytes {
			break
		}
	}
	return n
}

// pass hands over heartbeats, and those again of which tickets are wanted.
func (r *Registrar) pass(ctx context.Context, c *client.Client, news []directory.Report) error {
	ctx, cancel := context.WithTimeout(ctx, shareTime)
	defer cancel()
	var beats []client.Shared
	for _, n := range news {
		beats = append(beats, client.Shared{Heartbeat: n.Heartbeat})
	}
	wanted, err := c.Share(ctx, beats)
	if err != nil || len(wanted) == 0 {
		return err
	}
	beats = beats[:0]
	for _, n := range news {
		if slices.Contains(wanted, wire.PeerID(n.Author)) {
			beats = append(beats, client.Shared{Heartbeat: n.Heartbeat, Ticket: n.Ticket})
		}
	}
	_, err = c.Share(ctx, beats)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
