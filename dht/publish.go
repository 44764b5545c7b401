package dht

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Pace of publishing and searching. spec: 09-dht §2, §4
const (
	settle      = 2 * time.Second  // that changes gather for
	decideEvery = 30 * time.Second // who serves, at the latest
	firstSearch = 10 * time.Second // for others of a room; then doubled up to refresh
	firstAgain  = time.Minute      // what was published; the same. Those who were told may serve no more
	firstRetry  = 5 * time.Second  // what could not be published; the same
	maxFound    = 64               // providers of a room, a search
	maxRooms    = 1024             // provided at a time
	workers     = 8                // that publish and search: one that waits for a silent node holds no other up
)

// task is what is done now and again, ever more rarely.
type task struct {
	next  time.Time
	pause time.Duration // what next is after the time before
	ok    bool          // that time went well
	busy  bool          // it is being done
}

// again has it done at once.
func (k *task) again() { k.next, k.pause = time.Time{}, 0 }

// before reports whether it is done before o: what never went well comes first,
// then what has been due for longer.
func (k *task) before(o *task) bool {
	if k.ok != o.ok {
		return !k.ok
	}
	return k.next.Before(o.next)
}

// done says when it is done again: after first, then after twice as long each
// time up to a refresh, or up to a quarter earlier: nodes that met at one time,
// and the rooms of one node, would else all ask at once ever after. What went
// well and then fails, or the reverse, begins anew.
func (k *task) done(now time.Time, ok bool, first time.Duration) {
	if ok != k.ok {
		k.pause = 0
	}
	k.ok = ok
	k.pause = min(max(2*k.pause, first), refresh)
	k.next = now.Add(k.pause - rand.N(k.pause/4))
}

// room is what is provided.
type room struct {
	provide task
	search  task
	by      int // calls of Provide
}

// Provide says that this node is in a log, from now until as many calls of
// Withdraw or until Close, and looks for others who are. At most 1,024 logs
// are; more are not told.
func (t *Table) Provide(log [32]byte) {
	t.mu.Lock()
	if t.rooms[log] == nil && len(t.rooms) < maxRooms {
		t.rooms[log] = new(room)
	}
	if r := t.rooms[log]; r != nil {
		r.by++
	}
	t.mu.Unlock()
	t.poke()
}

// Withdraw ends what one call of Provide began. Others forget it within two hours.
func (t *Table) Withdraw(log [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rooms[log]; r != nil {
		if r.by--; r.by == 0 {
			delete(t.rooms, log)
		}
	}
}

// follow takes note of peers and of the own addresses, and decides who serves,
// until Close. It waits for nobody: a host whose events are not read stands still.
func (t *Table) follow(changes event.Subscription) {
	defer changes.Close()
	anyway := time.NewTicker(decideEvery)
	defer anyway.Stop()
	soon := newAlarm(settle)
	defer soon.Stop()
	for {
		select {
		case e := <-changes.Out():
			if met, ok := e.(event.EvtPeerIdentificationCompleted); ok {
				t.Heard(met.Peer)
			} else {
				t.mu.Lock()
				t.self.again() // other addresses
				t.mu.Unlock()
			}
			soon.within(settle)
			t.poke()
		case <-soon.C: // who has just met the network need not serve it for long
			soon.rang()
			t.decide()
		case <-anyway.C:
			t.decide()
		case <-t.ctx.Done():
			return
		}
	}
}

// decide says whether this node serves. It is called by follow alone.
func (t *Table) decide() {
	t.mu.Lock()
	before := t.roles.serving
	serve := t.roles.serve(time.Now(), t.Servers())
	t.mu.Unlock()
	if serve != before {
		t.log.Debug("part in the table changes", "serves", serve)
		t.cfg.Serve(serve)
	}
}

// run has the workers publish and search until Close.
func (t *Table) run() {
	at := newAlarm(settle)
	defer at.Stop()
	var servers int
	var since time.Time // that there are so many
	for {
		select {
		case <-t.wake:
			at.within(settle)
			continue
		case <-t.ctx.Done():
			return
		case <-at.C:
			at.rang()
		}
		// Who was told little because few were there is told again when there
		// are twice as many: that is seldom, and soon. Servers that come and go
		// do not have everything told each time.
		n := t.Servers()
		if n > 2*servers {
			servers, since = n, time.Now()
			t.everything()
		}
		if time.Since(since) > firstAgain {
			servers = min(servers, n)
		}
		at.within(t.work())
	}
}

// everything has all that is provided told again, and searched for.
func (t *Table) everything() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.self.again()
	for _, r := range t.rooms {
		r.provide.again()
		r.search.again()
	}
}

// job is a task with what is to be done.
type job struct {
	*task
	do func(context.Context) (ok bool, first time.Duration)
}

// work begins what is due, as far as workers are free, and returns how long
// until the next is. Nobody to tell is no failure: peers that come have it done.
// It is called by run alone.
func (t *Table) work() time.Duration {
	if t.Servers() == 0 {
		return refresh
	}
	for {
		j, ok := t.hire()
		if !ok {
			return t.next()
		}
		t.wg.Go(func() { t.labour(j) })
	}
}

// hire takes the most urgent job for one more worker, if there may be one.
func (t *Table) hire() (job, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hired == workers || t.ctx.Err() != nil {
		return job{}, false
	}
	j, ok := t.urgent()
	if ok {
		t.hired++
	}
	return j, ok
}

// labour does a job and then what is due, until nothing is.
func (t *Table) labour(j job) {
	for ok := true; ok; {
		ctx, cancel := context.WithTimeout(t.ctx, queryTime)
		well, first := j.do(network.WithDialPeerTimeout(ctx, dialTime))
		cancel()
		t.mu.Lock()
		j.busy = false
		if !j.next.IsZero() { // else it was asked for again meanwhile, and stays due
			j.done(time.Now(), well, first)
		}
		if j, ok = t.urgent(); !ok || t.ctx.Err() != nil {
			ok = false
			t.hired--
		}
		t.mu.Unlock()
	}
	t.poke()
}

// urgent takes the most urgent of the jobs that are due. t.mu is held.
func (t *Table) urgent() (best job, found bool) {
	now := time.Now()
	offer := func(k *task) bool {
		if k.busy || k.next.After(now) || found && !k.before(best.task) {
			return false
		}
		best.task, found = k, true
		return true
	}
	if offer(&t.self) {
		best.do = t.tellSelf
	}
	for log, r := range t.rooms {
		if offer(&r.provide) {
			best.do = func(ctx context.Context) (bool, time.Duration) { return t.tellRoom(ctx, log) }
		}
		if offer(&r.search) {
			best.do = func(ctx context.Context) (bool, time.Duration) {
				t.search(ctx, log)
				return true, firstSearch
			}
		}
	}
	if found {
		best.busy, best.next = true, now.Add(refresh)
	}
	return best, found
}

// next is how long until something is due that is not being done.
func (t *Table) next() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := time.Now().Add(refresh)
	consider := func(k *task) {
		if !k.busy && k.next.Before(first) {
			first = k.next
		}
	}
	consider(&t.self)
	for _, r := range t.rooms {
		consider(&r.provide)
		consider(&r.search)
	}
	return max(time.Until(first), settle)
}

func published(err error) (ok bool, first time.Duration) {
	if err != nil {
		return false, firstRetry
	}
	return true, firstAgain
}

// tellRoom puts this node down as one who is in a log.
func (t *Table) tellRoom(ctx context.Context, log [32]byte) (bool, time.Duration) {
	ctx, told := withTally(ctx)
	return published(errors.Join(t.kad.Provide(ctx, roomKey(log), true), told.err()))
}

// tellSelf puts the own record into the table.
func (t *Table) tellSelf(ctx context.Context) (bool, time.Duration) {
	key, err := peerKey(t.cfg.Host.ID())
	if err != nil {
		return true, refresh // no other key will do better
	}
	t.mu.Lock()
	nick := t.nick
	t.mu.Unlock()
	now := t.cfg.Now().Truncate(time.Millisecond)
	r := Record{
		ID: t.cfg.Host.ID(), Made: now, Expiry: now.Add(maxLife / 2), Nick: nick, Zone: t.cfg.Zone,
		Addrs: dialable(t.cfg.Addrs()), Version: t.cfg.Version,
	}
	data, err := r.encode(t.cfg.Network, t.cfg.Sign)
	if err == nil {
		ctx, told := withTally(ctx)
		err = errors.Join(t.kad.PutValue(ctx, key, data), told.err())
	}
	if err != nil && ctx.Err() == nil {
		t.log.Debug("own record not told", "err", err)
	}
	return published(err)
}

// search looks for others who are in a log.
func (t *Table) search(ctx context.Context, log [32]byte) {
	for info := range t.kad.FindProvidersAsync(ctx, roomKey(log), maxFound) {
		if info.ID != t.cfg.Host.ID() && len(info.Addrs) > 0 {
			t.metrics.found.Inc()
			t.cfg.Found(log, peer.AddrInfo{ID: info.ID, Addrs: dialable(info.Addrs)})
		}
	}
}
