package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Bounds of fetching in a session.
const (
	maxPulling  = 8192 // ids that wait: the comparison then waits too
	pullWorkers = 3    // requests at a time, if what comes are single events
	maxPhantoms = 64   // ids that the peer listed and does not give
)

// errPhantoms is returned for a peer that lists what it does not have.
var errPhantoms = errors.New("the peer lists events that it does not give")

// pull fetches ids from one peer while others are still being found out, in the
// order in which they came. Whole batches come: while each brings many ids at
// once, there is one request at a time, for ids from all over the queue.
type pull struct {
	l      *Log
	p      peer.ID
	oldest bool // first, one request at a time: parents come before children
	ctx    context.Context
	cancel context.CancelFunc
	stop   func() bool // of what tells the end of ctx
	wg     sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	queue    []event.ID            // some of them have come meanwhile
	waiting  map[event.ID]struct{} // those of the queue that have not
	ended    bool
	single   bool // the last reply brought few events an id
	under    int  // requests under way
	fresh    int
	phantoms int
	refused  bool // the store did not take something
	err      error
}

func newPull(ctx context.Context, l *Log, p peer.ID, oldest bool) *pull {
	u := &pull{l: l, p: p, oldest: oldest, waiting: make(map[event.ID]struct{})}
	u.ctx, u.cancel = context.WithCancel(ctx)
	u.changed = sync.NewCond(&u.mu)
	u.stop = context.AfterFunc(u.ctx, func() { u.fail(u.ctx.Err()) })
	for range pullWorkers {
		u.wg.Go(u.work) // finish waits
	}
	return u
}

// fail ends everything with the first error.
func (u *pull) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
	}
	u.changed.Broadcast()
}

// add queues ids, oldest first as a list has them; the newest are fetched
// first unless it is told otherwise. It waits while too many are queued.
func (u *pull) add(ids [][32]byte) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.waiting) > maxPulling && u.err == nil {
		u.changed.Wait()
	}
	for i := range ids {
		id := event.ID(ids[i])
		if !u.oldest {
			id = event.ID(ids[len(ids)-1-i])
		}
		if _, ok := u.waiting[id]; !ok {
			u.waiting[id] = struct{}{}
			u.queue = append(u.queue, id)
		}
	}
	u.changed.Broadcast()
	return u.err
}

// finish waits for what is queued, unless the session failed, and returns how
// many events were new.
func (u *pull) finish(failed error) (fresh int, err error) {
	u.mu.Lock()
	u.ended = true
	if failed != nil && u.err == nil {
		u.err = failed
		u.cancel()
	}
	u.changed.Broadcast()
	u.mu.Unlock()
	u.wg.Wait()
	u.stop()
	u.cancel()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fresh, u.err
}

func (u *pull) work() {
	for busy := 0; ; {
		want := u.next()
		if want == nil {
			return
		}
		full, err := u.fetch(want)
		if errors.Is(err, errBusy) && busy < busyTries {
			full, busy = true, busy+1 // they are asked for again
			pause(u.ctx, time.Second)
		} else if err != nil {
			u.fail(err)
		} else {
			busy = 0
		}
		u.done(want, full)
	}
}

// next takes the next ids to ask for; nil when all is done.
func (u *pull) next() []event.ID {
	u.mu.Lock()
	defer u.mu.Unlock()
	for {
		if u.err != nil {
			return nil
		}
		if len(u.waiting) == 0 && u.under == 0 && u.ended {
			return nil
		}
		if len(u.waiting) > 0 && (u.under == 0 || u.single && !u.oldest) {
			if want := u.choose(); len(want) > 0 {
				u.under++
				return want
			}
		}
		u.changed.Wait()
	}
}

// choose takes up to maxWant ids out of the queue: the first, or if batches
// come, some from all over it.
func (u *pull) choose() (want []event.ID) {
	kept := u.queue[:0]
	for _, id := range u.queue {
		if _, ok := u.waiting[id]; ok {
			kept = append(kept, id)
		}
	}
	step := 1
	if !u.single && !u.oldest {
		step = max(len(kept)/maxWant, 1)
	}
	u.queue = kept[:0]
	for i, id := range kept {
		if i%step == 0 && len(want) < maxWant {
			want = append(want, id)
			delete(u.waiting, id)
		} else {
			u.queue = append(u.queue, id)
		}
	}
	return want
}

// fetch asks for ids, those left out that have come meanwhile, or that the store
// did not take a short time ago.
func (u *pull) fetch(want []event.ID) (full bool, err error) {
	ids := make([]event.ID, 0, len(want))
	for _, id := range want {
		ok, err := u.l.s.cfg.Store.Has(id)
		if err != nil {
			return false, ownStore(err)
		}
		if t, _ := u.l.syncer.refused.Peek(id); !ok && !t.next.After(time.Now()) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	came, fresh := make(map[event.ID]struct{}), 0
	var left []*event.Batch // not taken; with the reply they came in bounded
	take := func(b *event.Batch) error {
		n, _, err := u.l.admit(u.ctx, b, u.p)
		fresh += n
		u.arrived(b, n)
		if errors.Is(err, eventlog.ErrScattered) && u.oldest {
			left, err = append(left, b), nil
		}
		return err
	}
	full, err = u.l.ask(u.ctx, u.p, ids, func(b *event.Batch) error {
		for i := range b.Events {
			came[b.Events[i].ID] = struct{}{}
		}
		return take(b)
	})
	for n := len(ids) + 1; err == nil && len(left) > 0 && len(left) < n; {
		again := left // of one second children may come before their parents
		n, left = len(left), nil
		for i := 0; i < n && err == nil; i++ {
			err = take(again[i])
		}
	}
	u.refuse(left)
	if err == nil && !full {
		err = u.lacking(ids, came)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.single = fresh <= 2*len(ids)
	return full, err
}

// refuse notes what the store does not take: it is left alone for some time.
func (u *pull) refuse(left []*event.Batch) {
	refused := u.l.syncer.refused
	for _, b := range left {
		for i := range b.Events {
			t, _ := refused.Get(b.Events[i].ID)
			refused.Add(b.Events[i].ID, t.again(time.Now()))
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refused = u.refused || len(left) > 0
}

// arrived takes what a batch holds out of the queue.
func (u *pull) arrived(b *event.Batch, fresh int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fresh += fresh
	for i := range b.Events {
		delete(u.waiting, b.Events[i].ID)
	}
	u.changed.Broadcast()
}

// lacking counts what a whole reply did not bring.
func (u *pull) lacking(ids []event.ID, came map[event.ID]struct{}) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		if _, ok := came[id]; !ok {
			u.phantoms++
		}
	}
	if u.phantoms > maxPhantoms {
		return errPhantoms
	}
	return nil
}

// done ends a request. What a full reply had no place for is asked for again.
func (u *pull) done(want []event.ID, full bool) {
	if full {
		u.again(want)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.under--
	u.changed.Broadcast()
}

func (u *pull) again(want []event.ID) {
	var left []event.ID
	for _, id := range want {
		if ok, err := u.l.s.cfg.Store.Has(id); err == nil && !ok {
			left = append(left, id)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range left {
		u.waiting[id] = struct{}{}
	}
	u.queue = append(left, u.queue...)
}
