package node

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Tuning of what is dialled when.
const (
	maxCandidates  = 1024 // besides the static ones
	maxTold        = 256  // of those, known from others' words alone; and as many from the table alone
	minBackoff     = time.Second
	maxBackoff     = time.Minute
	slowBackoff    = 5 * time.Minute        // of peers not heard of lately, and of refused ones
	yieldDelay     = 400 * time.Millisecond // of the side with the higher peer ID
	heardRetry     = 10 * time.Second
	forgetUnheard  = 10 * time.Minute
	nudgeEvery     = 5 * time.Second
	staleDial      = 300 * time.Millisecond // a try that lasts longer is given up for new addresses
	refusedFailure = 5                      // failures that a refused hello counts for
)

// source says where an address comes from, which decides how long a peer is
// dialled for.
type source int

const (
	fromConfig    source = iota // for ever, at once
	fromMemory                  // remembered: for ever
	fromDiscovery               // while it is heard, ten minutes on
	fromOthers                  // told by a peer: for ten minutes
	fromTable                   // found in the table as one of a room: the same
	fromLookup                  // looked up because somebody here wants it: the same
	numSources
)

// candidate is a peer worth dialling.
type candidate struct {
	id      peer.ID
	addrs   [numSources][]ma.Multiaddr
	share   share     // of hearsay, whose word it was first
	heard   time.Time // when it was last told of; hearsay about one that fails does not count
	tried   time.Time // when the last try began
	next    time.Time // when to try again
	fails   int
	dialing context.CancelFunc // of the try under way; nil when there is none
	moved   bool               // new addresses came during that try
	near    bool               // in the own zone, as it said when it was met or looked up
}

// rank orders those who are dialled first when many are due.
func (c *candidate) rank() int {
	switch {
	case c.addrs[fromConfig] != nil:
		return 0
	case c.near:
		return 1
	case c.vouched():
		return 2
	default:
		return 3
	}
}

func (c *candidate) all() []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, from := range c.addrs {
		addrs = append(addrs, from...)
	}
	return ma.Unique(addrs)
}

// add tells of a peer, or of its addresses, which take the place of those the
// same source told before.
func (d *dialer) add(info peer.AddrInfo, from source) { d.hear(info, share{from: from}) }

func (d *dialer) hear(info peer.AddrInfo, of share) {
	if info.ID == d.host.ID() || len(info.Addrs) == 0 {
		return
	}
	now, from := time.Now(), of.from
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.peers[info.ID]
	if c == nil {
		if c = d.newCandidateLocked(info.ID, of, now); c == nil {
			return
		}
	}
	changed := hasNew(c.all(), info.Addrs)
	c.addrs[from] = info.Addrs
	if from != fromConfig && from != fromMemory && !(from.hearsay() && c.fails > 0) {
		c.heard = now
	}
	switch {
	case from.hearsay() && c.vouched(): // its addresses are tried too, in their turn
	case (changed || c.moved) && c.dialing != nil:
		c.moved = true
		if now.Sub(c.tried) > staleDial { // an old address may take its whole time to fail
			c.dialing()
		}
	case changed && c.fails > 0: // it moved: what failed before says nothing
		c.fails, c.next = 0, now
	case from == fromDiscovery && c.fails > 0 && now.Sub(c.tried) > heardRetry && c.next.After(now):
		c.next = now // it lives: no need to wait out a long backoff
	}
	d.wakeUp()
}

// newCandidateLocked returns nil when there are too many. The higher peer ID of two
// waits a little, so that both do not dial at once; a peer from the
// configuration may not know of us and is dialled at once.
func (d *dialer) newCandidateLocked(id peer.ID, of share, now time.Time) *candidate {
	from := of.from
	if from != fromConfig && len(d.peers) >= maxCandidates {
		d.forgetLocked(now)
		if len(d.peers) >= maxCandidates {
			d.status.Dropped++
			return nil
		}
	}
	if from.hearsay() && !d.makeRoomLocked(of) { // whoever invents peers must not crowd out others
		d.status.Dropped++
		return nil
	}
	c := &candidate{id: id, share: of, next: now}
	if from != fromConfig && d.host.ID() > id {
		c.next = now.Add(yieldDelay)
	}
	d.peers[id] = c
	return c
}

// near tells whether a peer says that it is in the own zone.
func (d *dialer) near(id peer.ID, near bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.peers[id]; c != nil {
		c.near = near
	}
}

// failing reports whether the last try of a peer failed: where it is said to be
// it is not.
func (d *dialer) failing(id peer.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.peers[id]
	return c != nil && c.fails > 0 && c.dialing == nil
}

// forgetLocked drops peers that only discovery or others told of, and not lately.
func (d *dialer) forgetLocked(now time.Time) {
	for id, c := range d.peers {
		if c.addrs[fromConfig] == nil && c.addrs[fromMemory] == nil && c.dialing == nil &&
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

// dropped tells that the connection with a peer went before it was admitted: as
// after a dial that failed, and not when the time for admission is over.
func (d *dialer) dropped(id peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.peers[id]
	if c == nil || c.dialing != nil || d.admitted(id) {
		return
	}
	if again := time.Now().Add(backoff(c.fails, maxBackoff)); again.Before(c.next) {
		c.next = again
		d.wakeUp()
	}
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

// backoff doubles from one second to the limit, with a jitter of a quarter to
// either side.
func backoff(fails int, limit time.Duration) time.Duration {
	wait := limit
	if shift := max(fails-1, 0); shift < 10 {
		wait = min(limit, minBackoff<<shift)
	}
	return wait*3/4 + rand.N(wait/2)
}

// hasNew reports whether an address is not among the known ones.
func hasNew(known, told []ma.Multiaddr) bool {
	return slices.ContainsFunc(told, func(a ma.Multiaddr) bool { return !ma.Contains(known, a) })
}
