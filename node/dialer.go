package node

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// Tuning of the dialer.
const (
	maxDials       = 8                // at once
	maxCandidates  = 1024             // besides the static ones
	dialTimeout    = 10 * time.Second // of one try, all addresses
	admitTimeout   = 15 * time.Second // from connected to admitted, then it is a failure
	minBackoff     = time.Second
	maxBackoff     = time.Minute
	slowBackoff    = 5 * time.Minute // of peers not heard of lately, and of refused ones
	yieldDelay     = time.Second     // of the side with the higher peer ID
	heardRetry     = 10 * time.Second
	forgetUnheard  = 10 * time.Minute
	nudgeEvery     = 5 * time.Second
	refusedFailure = 5 // failures that a refused hello counts for
)

// source says where an address comes from, which decides how long a peer is
// dialled for.
type source int

const (
	fromConfig    source = iota // for ever, at once
	fromMemory                  // remembered: for ever
	fromDiscovery               // while it is heard, ten minutes on
	numSources
)

// candidate is a peer worth dialling.
type candidate struct {
	id      peer.ID
	addrs   [numSources][]ma.Multiaddr
	heard   time.Time // last told by discovery
	tried   time.Time // when the last try began
	next    time.Time // when to try again
	fails   int
	dialing bool
}

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

// add tells of a peer, or of new addresses of it, which take the place of
// those the same source told before.
func (d *dialer) add(info peer.AddrInfo, from source) {
	if info.ID == d.host.ID() || len(info.Addrs) == 0 {
		return
	}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.peers[info.ID]
	if c == nil {
		if c = d.newCandidateLocked(info.ID, from, now); c == nil {
			return
		}
	}
	changed := !sameAddrs(c.addrs[from], info.Addrs)
	c.addrs[from] = info.Addrs
	if from == fromDiscovery {
		c.heard = now
	}
	switch {
	case changed && c.fails > 0: // it moved: what failed before says nothing
		c.fails, c.next = 0, now
	case from == fromDiscovery && now.Sub(c.tried) > heardRetry && c.next.After(now):
		c.next = now // it lives: no need to wait out a long backoff
	}
	d.wakeUp()
}

// newCandidateLocked returns nil when there are too many. The higher peer ID of two
// waits a little, so that both do not dial at once; a peer from the
// configuration may not know of us and is dialled at once.
func (d *dialer) newCandidateLocked(id peer.ID, from source, now time.Time) *candidate {
	if from != fromConfig && len(d.peers) >= maxCandidates {
		d.forgetLocked(now)
		if len(d.peers) >= maxCandidates {
			d.status.Dropped++
			return nil
		}
	}
	c := &candidate{id: id, next: now}
	if from != fromConfig && d.host.ID() > id {
		c.next = now.Add(yieldDelay)
	}
	d.peers[id] = c
	return c
}

// forgetLocked drops peers that only discovery told of, and not lately.
func (d *dialer) forgetLocked(now time.Time) {
	for id, c := range d.peers {
		if c.addrs[fromConfig] == nil && c.addrs[fromMemory] == nil && !c.dialing &&
			now.Sub(c.heard) > forgetUnheard && !d.admitted(id) {
			delete(d.peers, id)
		}
	}
}

// lost tells that an admitted peer is gone: it is dialled again soon, a little
// spread, so that a room that loses its switch does not dial as one.
func (d *dialer) lost(id peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.peers[id]; c != nil {
		c.fails = 0
		c.next = time.Now().Add(rand.N(minBackoff / 2))
		if d.host.ID() > id {
			c.next = c.next.Add(yieldDelay)
		}
	}
	d.wakeUp()
}

// refused tells that hello with a peer failed: another network, another
// secret. It is tried again, rarely.
func (d *dialer) refused(id peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.peers[id]; c != nil {
		c.fails = max(c.fails+1, refusedFailure)
		c.next = time.Now().Add(backoff(c.fails, slowBackoff))
	}
}

// nudge ends all waiting, at most every 5 s: the machine's own addresses
// changed, so what failed may work now.
func (d *dialer) nudge() {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.nudged) < nudgeEvery {
		return
	}
	d.nudged = now
	for _, c := range d.peers {
		if c.fails > 0 && c.fails < refusedFailure {
			c.fails, c.next = 0, now.Add(rand.N(minBackoff/2))
		}
	}
	d.wakeUp()
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
	moved := d.watchAddrs()
	defer moved.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-moved.Out():
			if ok {
				d.nudge()
			}
		case <-d.wake:
		case <-timer.C:
		}
		due, wait := d.take(time.Now())
		for _, info := range due {
			dials.Go(func() { d.dial(ctx, info) })
		}
		timer.Reset(wait)
	}
}

// watchAddrs subscribes to changes of the machine's addresses. A host that
// cannot tell them is waited on for ever.
func (d *dialer) watchAddrs() event.Subscription {
	sub, err := d.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("parley/dialer"))
	if err != nil {
		return silence{}
	}
	return sub
}

type silence struct{}

func (silence) Out() <-chan any { return nil }
func (silence) Close() error    { return nil }
func (silence) Name() string    { return "silence" }

// take marks the peers to dial now and says how long to wait for the next.
func (d *dialer) take(now time.Time) (due []peer.AddrInfo, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait = maxBackoff
	for _, c := range d.peers {
		if c.dialing || d.admitted(c.id) {
			continue
		}
		if left := c.next.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		if d.active == maxDials { // a dial that ends wakes the loop
			continue
		}
		d.active++
		c.dialing, c.tried = true, now
		due = append(due, peer.AddrInfo{ID: c.id, Addrs: c.all()})
	}
	return due, wait
}

func (c *candidate) all() []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, from := range c.addrs {
		addrs = append(addrs, from...)
	}
	return ma.Unique(addrs)
}

func (d *dialer) dial(ctx context.Context, info peer.AddrInfo) {
	d.clearSwarmBackoff(info.ID)
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	err := d.host.Connect(network.WithDialPeerTimeout(dialCtx, dialTimeout), info)
	cancel()
	if ctx.Err() == nil {
		d.done(info.ID, err)
	}
}

// clearSwarmBackoff makes this dialer's backoff the only one: libp2p keeps its
// own for each address, of up to five minutes, which would outlast a cable
// that is plugged in again.
func (d *dialer) clearSwarmBackoff(id peer.ID) {
	if s, ok := d.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(id)
	}
}

// done takes note of a try. A connection gets time to become admitted; if it
// has not by then, the next look counts it as a failure by way of fails.
func (d *dialer) done(id peer.ID, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active--
	d.wakeUp()
	c := d.peers[id]
	if c == nil {
		return
	}
	c.dialing = false
	if d.admitted(id) {
		c.fails, d.status.LastError = 0, ""
		return
	}
	now := time.Now()
	if err == nil {
		c.fails++
		if again := now.Add(admitTimeout); c.next.Before(again) { // refused may have set a later one
			c.next = again
		}
		d.status.LastError = ""
		return
	}
	c.fails++
	d.status.Failures++
	d.status.LastError = err.Error()
	limit := maxBackoff
	if c.addrs[fromConfig] == nil && now.Sub(c.heard) > forgetUnheard {
		limit = slowBackoff
	}
	c.next = now.Add(backoff(c.fails, limit))
	d.log.Debug("a dial failed", "peer", id, "err", err, "fails", c.fails)
}

// backoff doubles from one second to the limit, with a jitter of a quarter to
// either side.
func backoff(fails int, limit time.Duration) time.Duration {
	wait := limit
	if shift := max(fails-1, 0); shift < 10 {
		wait = min(limit, minBackoff<<shift)
	}
	return wait*3/4 + rand.N(wait/2)
}

func sameAddrs(a, b []ma.Multiaddr) bool {
	if len(a) != len(b) {
		return false
	}
	seen := map[string]bool{}
	for _, x := range a {
		seen[string(x.Bytes())] = true
	}
	for _, x := range b {
		if !seen[string(x.Bytes())] {
			return false
		}
	}
	return true
}
