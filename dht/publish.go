package dht

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
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
)

// task is what is done now and again, ever more rarely.
type task struct {
	next  time.Time
	pause time.Duration // what next is after the time before
	ok    bool          // that time went well
}

// again has it done at once.
func (k *task) again() { *k = task{} }

// done says when it is done again: after first, then after twice as long each
// time up to a refresh. What went well and then fails, or the reverse, begins anew.
func (k *task) done(now time.Time, ok bool, first time.Duration) {
	if ok != k.ok {
		k.pause = 0
	}
	k.ok = ok
	k.pause = min(max(2*k.pause, first), refresh)
	k.next = now.Add(k.pause)
}

// room is what is provided.
type room struct {
	provide task
	search  task
}

// Provide says that this node is in a log, from now until Withdraw or Close,
// and looks for others who are. At most 1,024 are; more are not told.
func (t *Table) Provide(log [32]byte) {
	t.mu.Lock()
	if t.rooms[log] == nil && len(t.rooms) < maxRooms {
		t.rooms[log] = new(room)
	}
	t.mu.Unlock()
	t.poke()
}

// Withdraw ends what Provide began. Others forget it within two hours.
func (t *Table) Withdraw(log [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rooms, log)
}

// follow takes note of peers and of the own addresses, and decides who serves,
// until Close. It waits for nobody: a host whose events are not read stands still.
func (t *Table) follow(changes event.Subscription) {
	defer changes.Close()
	anyway := time.NewTicker(decideEvery)
	defer anyway.Stop()
	soon := time.NewTimer(settle)
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
			soon.Reset(settle)
			t.poke()
		case <-soon.C: // who has just met the network need not serve it for long
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

// run publishes and searches until Close.
func (t *Table) run() {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for servers := 0; ; {
		select {
		case <-t.wake:
			timer.Reset(settle)
			continue
		case <-t.ctx.Done():
			return
		case <-timer.C:
		}
		// Who was told little because few were there is told again when there
		// are twice as many: that is seldom, and soon.
		n := t.Servers()
		if n > 2*servers || n > 0 && servers == 0 {
			servers = n
			t.everything()
		}
		servers = min(servers, n)
		timer.Reset(t.work())
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

// work does what is due and returns how long until the next is. Nobody to tell
// is no failure: peers that come have it done.
func (t *Table) work() time.Duration {
	if t.Servers() == 0 {
		return refresh
	}
	t.do(&t.self, t.tellSelf)
	t.mu.Lock()
	logs := make([][32]byte, 0, len(t.rooms))
	for log := range t.rooms {
		logs = append(logs, log)
	}
	t.mu.Unlock()
	for _, log := range logs {
		t.mu.Lock()
		r := t.rooms[log]
		t.mu.Unlock()
		if r == nil {
			continue
		}
		t.do(&r.provide, func(ctx context.Context) (bool, time.Duration) {
			return published(t.kad.Provide(ctx, roomKey(log), true))
		})
		t.do(&r.search, func(ctx context.Context) (bool, time.Duration) {
			t.search(ctx, log)
			return true, firstSearch
		})
	}
	return t.next()
}

func (t *Table) next() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.self.next
	for _, r := range t.rooms {
		for _, k := range []*task{&r.provide, &r.search} {
			if k.next.Before(first) {
				first = k.next
			}
		}
	}
	return max(time.Until(first), settle)
}

func published(err error) (ok bool, first time.Duration) {
	if err != nil {
		return false, firstRetry
	}
	return true, firstAgain
}

// do does a task that is due; f says whether it went well and after how long it
// is to be done again at first. One that was asked for again meanwhile stays due.
func (t *Table) do(k *task, f func(context.Context) (ok bool, first time.Duration)) {
	t.mu.Lock()
	due := !k.next.After(time.Now())
	if due {
		k.next = time.Now().Add(refresh)
	}
	t.mu.Unlock()
	if !due || t.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.ctx, queryTime)
	defer cancel()
	ok, first := f(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !k.next.IsZero() {
		k.done(time.Now(), ok, first)
	}
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
		err = t.kad.PutValue(ctx, key, data)
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
