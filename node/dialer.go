package node

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// Tuning of the dialing itself.
const (
	maxDials     = 8                // at once
	dialTimeout  = 10 * time.Second // of one try, all addresses
	admitTimeout = 15 * time.Second // from connected to admitted, then it is a failure
)

// dialer connects to the peers it is told of until they are admitted, and
// again once they are lost: with backoff and jitter for each, and a bounded
// number at once. It does not admit: a connection that does not lead to
// admission counts as a failure.
//
// All methods may be called from anywhere and do not block. run owns every
// goroutine.
type dialer struct {
	host     host.Host
	admitted func(peer.ID) bool
	log      *slog.Logger
	wake     chan struct{} // capacity 1

	mu     sync.Mutex
	peers  map[peer.ID]*candidate
	active int
	nudged time.Time
	status dialStatus
}

// dialStatus tells how dialling goes.
type dialStatus struct {
	Candidates int    // peers known of, admitted ones included
	Failures   uint64 // tries that failed to connect
	Dropped    uint64 // peers not taken up because there were too many
	LastError  string // of the last failed dial; empty after a success
}

// newDialer returns a dialer on the host that the transports are on. admitted
// must not block or call the dialer.
func newDialer(h host.Host, admitted func(peer.ID) bool, log *slog.Logger) *dialer {
	return &dialer{
		host: h, admitted: admitted, log: orSilent(log),
		wake: make(chan struct{}, 1), peers: map[peer.ID]*candidate{},
	}
}

// Status returns the present state.
func (d *dialer) Status() dialStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	s.Candidates = len(d.peers)
	return s
}

func (d *dialer) wakeUp() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run dials until ctx ends, and returns when no dial is left under way.
func (d *dialer) run(ctx context.Context) {
	var dials sync.WaitGroup
	defer dials.Wait()
	var moved <-chan any // the machine's addresses changed
	if sub, err := d.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("parley/dialer")); err == nil {
		defer sub.Close()
		moved = sub.Out()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-moved:
			d.nudge()
		case <-d.wake:
		case <-timer.C:
		}
		due, wait := d.take(ctx, time.Now())
		for _, try := range due {
			dials.Go(func() { d.dial(try) })
		}
		timer.Reset(wait)
	}
}

// try is one dial of a peer.
type try struct {
	ctx  context.Context
	info peer.AddrInfo
}

// take marks the peers to dial now and says how long to wait for the next.
func (d *dialer) take(ctx context.Context, now time.Time) (due []try, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ready []*candidate
	ready, wait = d.readyLocked(now)
	for _, c := range ready {
		if d.active == maxDials { // a dial that ends wakes the loop
			break
		}
		d.active++
		dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
		c.dialing, c.tried, c.moved = cancel, now, false
		due = append(due, try{dialCtx, peer.AddrInfo{ID: c.id, Addrs: c.all()}})
	}
	return due, wait
}

// readyLocked lists the peers to dial now, those of the configuration first, then
// those of the own zone, and says how long until there are more. Those that are
// stale are forgotten.
func (d *dialer) readyLocked(now time.Time) (ready []*candidate, wait time.Duration) {
	wait = maxBackoff
	for _, c := range d.peers {
		if c.dialing != nil || d.admitted(c.id) {
			continue
		}
		if left := c.next.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		if c.stale(now) {
			delete(d.peers, c.id)
			continue
		}
		ready = append(ready, c)
	}
	slices.SortFunc(ready, func(a, b *candidate) int { return a.rank() - b.rank() })
	return ready, wait
}

func (d *dialer) dial(t try) {
	d.clearSwarmBackoff(t.info.ID)
	err := d.host.Connect(network.WithDialPeerTimeout(t.ctx, dialTimeout), t.info)
	d.done(t.info.ID, err)
}

// clearSwarmBackoff makes this dialer's backoff the only one: libp2p keeps its
// own for each address, of up to five minutes, which would outlast a cable
// that is plugged in again.
func (d *dialer) clearSwarmBackoff(id peer.ID) {
	if s, ok := d.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(id)
	}
}

// done takes note of a try. A connection gets time to become admitted, and
// counts as a failure until it is.
func (d *dialer) done(id peer.ID, err error) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active--
	d.wakeUp()
	c := d.peers[id]
	c.dialing()
	c.dialing = nil
	c.fails++
	switch {
	case d.admitted(id):
		c.fails, d.status.LastError = 0, ""
	case err == nil:
		d.status.LastError = ""
		if again := now.Add(admitTimeout); c.next.Before(again) { // refused may have set a later one
			c.next = again
		}
	case c.moved:
		c.fails, c.next = 0, now
	default:
		d.failedLocked(c, now, err)
	}
}

func (d *dialer) failedLocked(c *candidate, now time.Time, err error) {
	d.status.Failures++
	d.status.LastError = err.Error()
	limit := maxBackoff
	if c.addrs[fromConfig] == nil && now.Sub(c.heard) > forgetUnheard {
		limit = slowBackoff
	}
	c.next = now.Add(backoff(c.fails, limit))
	d.log.Debug("a dial failed", "peer", c.id, "err", err, "fails", c.fails)
}
