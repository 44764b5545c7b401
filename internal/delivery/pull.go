package delivery

import (
	"context"
	"errors"
	"slices"
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
	maxPhantoms = 64   // ids that the peer listed and does not give, or that are of another time

	pullLatest = time.Second // the first request waits no longer, however little was found
)

// errPhantoms is returned for a peer that lists what it does not have.
var errPhantoms = errors.New("the peer lists events that it does not give")

// pull fetches ids from one peer while others are still being found out: the
// newest first, but those of one request oldest first, and the first request is
// not made for a few while more may be found. So a small gap closes in order.
// Whole batches come: while each brings many ids at once, there is one request
// at a time, for ids from all over the queue.
type pull struct {
	l        *Log
	p        peer.ID
	from, to uint64 // seconds that are compared, the last one excluded
	oldest   bool   // first, one request at a time: parents come before children
	ctx      context.Context
	cancel   context.CancelFunc
	stop     func() bool // of what tells the end of ctx
	late     *time.Timer // sets hasty
	wg       sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	queue    []event.ID            // some of them have come meanwhile
	waiting  map[event.ID]struct{} // those of the queue that have not
	hasty    bool                  // what was found is asked for, be it little
	ended    bool
	single   bool // the last reply brought few events an id
	under    int  // requests under way
	fresh    int
	cut      int // events that came and are cut
	phantoms int
	refused  bool // the store did not take something
	err      error
}

func newPull(ctx context.Context, l *Log, p peer.ID, from, to uint64, oldest bool) *pull {
	u := &pull{l: l, p: p, from: from, to: to, oldest: oldest, waiting: make(map[event.ID]struct{})}
	u.ctx, u.cancel = context.WithCancel(ctx)
	u.changed = sync.NewCond(&u.mu)
	u.stop = context.AfterFunc(u.ctx, func() { u.fail(u.ctx.Err()) })
	u.late = time.AfterFunc(pullLatest, u.hurry)
	for range pullWorkers {
		u.wg.Go(u.work) // finish waits
	}
	return u
}

// hurry makes a request for whatever was found.
func (u *pull) hurry() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hasty = true
	u.changed.Broadcast()
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
// many events were new, and how many are cut.
func (u *pull) finish(failed error) (fresh, cut int, err error) {
	u.mu.Lock()
	u.ended = true
	if failed != nil && u.err == nil {
		u.err = failed
		u.cancel()
	}
	u.changed.Broadcast()
	u.mu.Unlock()
	u.wg.Wait()
	u.late.Stop()
	u.stop()
	u.cancel()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fresh, u.cut, u.err
}

// work asks and stores. While one of the workers stores what came, another may
// ask for more.
func (u *pull) work() {
	for busy := 0; ; {
		want := u.next()
		if want == nil {
			return
		}
		g, left, err := u.fetch(want)
		if errors.Is(err, errBusy) && busy < busyTries {
			busy, err = busy+1, nil
			pause(u.ctx, time.Second)
		} else if err == nil {
			busy = 0
		}
		u.answered(left, err)
		// What came is good, whatever ended the session.
		got, err := u.l.admit(u.l.ctx, u.p, g.oldestFirst())
		u.stored(got, err)
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
		u.hasty = u.hasty || u.ended || len(u.waiting) >= maxWant
		if len(u.waiting) > 0 && u.hasty && (u.under == 0 || u.single && !u.oldest) {
			if want := u.choose(); len(want) > 0 {
				u.under++
				return want
			}
		}
		u.changed.Wait()
	}
}

// choose takes up to maxWant ids out of the queue, the newest, or if batches
// come, some from all over it, and returns them oldest first.
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
	if !u.oldest {
		slices.Reverse(want)
	}
	return want
}

// fetch asks for ids, those left out that have come meanwhile, that are cut, or that the
// store did not take a short time ago. left are those to be asked for again, in the
// order of the queue: what a full reply, or a busy peer, had no place for.
func (u *pull) fetch(want []event.ID) (g *gathering, left []event.ID, err error) {
	g = newGathering()
	ids := make([]event.ID, 0, len(want))
	for _, id := range want {
		ok, err := u.l.s.cfg.Store.Has(id)
		if err != nil {
			return g, nil, ownStore(err)
		}
		ok = ok || u.l.s.cfg.Store.Refused(id)
		if t, _ := u.l.syncer.refused.Peek(id); !ok && !t.next.After(time.Now()) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return g, nil, nil
	}
	full, err := u.l.ask(u.ctx, u.p, ids, func(b *event.Batch) error {
		u.arrived(b)
		return g.add(b)
	})
	strays := 0
	for _, id := range ids {
		if i, came := g.in[id]; !came {
			left = append(left, id)
		} else if !u.compared(g.batches[i], id) {
			strays++ // never stored from here, it would be listed again and again
		}
	}
	if !u.oldest {
		slices.Reverse(left)
	}
	u.mu.Lock()
	u.single = len(g.in) <= 2*len(ids)
	u.mu.Unlock()
	if err == nil && !full {
		return g, nil, u.lacking(len(left) + strays)
	}
	return g, left, errors.Join(err, u.lacking(strays))
}

// compared reports whether an event is of a time that is compared.
func (u *pull) compared(b *event.Batch, id event.ID) bool {
	return slices.ContainsFunc(b.Events, func(e event.Event) bool {
		second := uint64(max(e.HLC.Second(), 0))
		return e.ID == id && u.from <= second && second < u.to
	})
}

// arrived takes what a batch holds out of the queue.
func (u *pull) arrived(b *event.Batch) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range b.Events {
		delete(u.waiting, b.Events[i].ID)
	}
	u.changed.Broadcast()
}

// lacking counts what a whole reply did not bring.
func (u *pull) lacking(n int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.phantoms += n; u.phantoms > maxPhantoms {
		return errPhantoms
	}
	return nil
}

// answered ends a request.
func (u *pull) answered(left []event.ID, err error) {
	if err != nil {
		u.fail(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range left {
		u.waiting[id] = struct{}{}
	}
	u.queue = append(left, u.queue...)
	u.under--
	u.changed.Broadcast()
}

// stored takes note of what came of a reply.
func (u *pull) stored(got admitted, err error) {
	if err == nil && len(got.refused) > 0 && !u.oldest {
		err = eventlog.ErrScattered
	}
	if err != nil {
		u.fail(err)
	}
	if u.oldest {
		u.l.syncer.refuse(got.refused)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fresh += got.fresh
	u.cut += got.cut
	u.refused = u.refused || len(got.refused) > 0
}
