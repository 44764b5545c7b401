package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
)

// Pace and bounds of fetching. spec: 04-delivery §6
const (
	patience   = 250 * time.Millisecond // for gossip to bring what seems to be missing
	goOn       = time.Second            // before a round that reached its bound is resumed
	maxRound   = 4096                   // events that one trigger may bring
	maxSources = 3                      // peers asked in a round
	maxTold    = 64                     // peers whose triggers wait
	maxTries   = 4096                   // ids whose failed tries are remembered
	firstRetry = time.Second
	lastRetry  = 10 * time.Minute
)

// fetcher asks peers for what is missing of one log. Triggers gather for a
// moment and are then worked off, peer by peer, by one goroutine.
type fetcher struct {
	l    *Log
	wake chan struct{}

	mu    sync.Mutex
	told  map[peer.ID]trigger
	tries map[event.ID]try // used by run alone
}

// trigger is a reason to ask a peer; somebody, if the peer is "".
type trigger struct {
	ids   []event.ID // which the peer says that it has
	heads bool       // ask for its heads, whatever they are
}

// try is how often an id was asked for in vain.
type try struct {
	n    int
	next time.Time
}

func newFetcher(l *Log) *fetcher {
	return &fetcher{
		l: l, wake: make(chan struct{}, 1),
		told: make(map[peer.ID]trigger), tries: make(map[event.ID]try),
	}
}

// Told says that p has these events: what is not stored here is fetched from
// it, with its ancestors.
func (l *Log) Told(p peer.ID, heads []event.ID) { l.fetcher.trigger(p, trigger{ids: heads}) }

// Ask asks p for the heads it has, and fetches them and their ancestors.
func (l *Log) Ask(p peer.ID) { l.fetcher.trigger(p, trigger{heads: true}) }

// missing says that p sent something whose parents are not all here.
func (f *fetcher) missing(p peer.ID) { f.trigger(p, trigger{}) }

// lost says that something was dropped and nobody knows what.
func (f *fetcher) lost() { f.trigger("", trigger{heads: true}) }

func (f *fetcher) trigger(p peer.ID, t trigger) {
	f.mu.Lock()
	if has, ok := f.told[p]; ok || len(f.told) < maxTold {
		has.ids = append(has.ids, t.ids[:min(len(t.ids), maxWant-len(has.ids))]...)
		has.heads = has.heads || t.heads
		f.told[p] = has
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fetcher) take() map[peer.ID]trigger {
	f.mu.Lock()
	defer f.mu.Unlock()
	told := f.told
	f.told = make(map[peer.ID]trigger)
	return told
}

func (f *fetcher) run() {
	ctx := f.l.ctx
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
		if !pause(ctx, patience) {
			return
		}
		resume := false
		for p, t := range f.take() {
			again, err := f.round(ctx, p, t)
			if err != nil && ctx.Err() == nil {
				f.l.log.Warn("fetching failed", "peer", p, "err", err)
			}
			if again {
				f.trigger(p, t)
				resume = true
			}
		}
		if resume && !pause(ctx, goOn) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// round fetches what p told of and what is missing, from p and then from
// others, until nothing is wanted, nobody has more, or the bound is reached:
// then it says so, to be resumed. Errors are the store's.
func (f *fetcher) round(ctx context.Context, p peer.ID, t trigger) (again bool, err error) {
	r := &round{f: f, t: t, began: time.Now(), left: maxRound, asked: make(map[event.ID]struct{})}
	for _, source := range f.sources(p) {
		done, err := r.drain(ctx, source)
		if err != nil || ctx.Err() != nil {
			return false, err
		}
		if done {
			break
		}
	}
	return r.left <= 0, f.settle(r.asked)
}

// round is what is under way of one trigger.
type round struct {
	f     *fetcher
	t     trigger
	began time.Time
	left  int                   // events that may still come
	asked map[event.ID]struct{} // ids that were asked for
}

// drain asks one peer until it has no more of use; done says that nothing is
// wanted any more or the bound is reached. First it asks for few ancestors,
// then for more and more: most gaps are small, few are long.
func (r *round) drain(ctx context.Context, p peer.ID) (done bool, err error) {
	for limit := 0; r.left > 0; limit = min(max(64, 4*limit), maxLimit) {
		q, err := r.next(limit)
		if err != nil {
			return false, err
		}
		if q == nil {
			return true, nil
		}
		fresh, failed := r.f.ask(ctx, p, q)
		r.left -= fresh
		if failed != nil {
			return false, nil
		}
		if len(q.want) == 0 {
			r.t.heads = false // told; what is missing below them comes next
			continue
		}
		if fresh == 0 {
			return false, nil
		}
	}
	return true, nil
}

// next makes the next request, nil if nothing is wanted.
func (r *round) next(limit int) (*request, error) {
	want, complete, err := r.f.wanted(r.t.ids, r.began)
	if err != nil {
		return nil, err
	}
	q := &request{log: r.f.l.id, limit: limit}
	switch {
	case r.t.heads:
		q.limit = max(limit, 64)
	case len(want) == 0:
		return nil, nil
	default:
		q.want = want
	}
	for _, id := range q.want {
		r.asked[id] = struct{}{}
	}
	if complete {
		q.limit = maxLimit
		q.have, err = r.f.heads()
	}
	return q, err
}

func (f *fetcher) heads() ([]event.ID, error) {
	heads, err := f.l.s.cfg.Store.Heads(f.l.id)
	return heads[:min(len(heads), maxHave)], err
}

// ask sends one request and stores what comes. Failures of the peer are
// counted, not returned; the error only says that it is of no use to go on.
func (f *fetcher) ask(ctx context.Context, p peer.ID, r *request) (fresh int, err error) {
	err = f.l.s.ask(ctx, p, f.l, r, func(b *event.Batch) error {
		n, err := f.l.admit(b, p)
		fresh += n
		return err
	})
	result := "ok"
	switch {
	case errors.Is(err, errBusy):
		result = "busy"
	case errors.Is(err, errNoLog):
		result = "no-log"
	case err != nil:
		result = "failed"
		f.l.log.Debug("peer gave no events", "peer", p, "err", err)
	}
	f.l.s.metrics.asked.WithLabelValues(result).Inc()
	return fresh, err
}

// wanted returns up to maxWant ids to ask for: those told and not stored, and
// the missing parents that are due to be asked for. complete says that no
// ancestor is missing here.
func (f *fetcher) wanted(told []event.ID, now time.Time) (want []event.ID, complete bool, err error) {
	missing, err := f.l.s.cfg.Store.Missing(f.l.id)
	if err != nil {
		return nil, false, err
	}
	for _, id := range told {
		ok, err := f.l.s.cfg.Store.Has(id)
		if err != nil {
			return nil, false, err
		}
		if !ok && len(want) < maxWant && !f.tries[id].next.After(now) {
			want = append(want, id)
		}
	}
	for _, id := range missing {
		if len(want) == maxWant {
			break
		}
		if !f.tries[id].next.After(now) {
			want = append(want, id)
		}
	}
	return want, len(missing) == 0, nil
}

// settle notes which of the ids that were asked for have not come: they are
// asked for less and less often.
func (f *fetcher) settle(asked map[event.ID]struct{}) error {
	for id := range asked {
		ok, err := f.l.s.cfg.Store.Has(id)
		if err != nil {
			return err
		}
		if ok {
			delete(f.tries, id)
			continue
		}
		t, known := f.tries[id]
		if !known && len(f.tries) >= maxTries {
			clear(f.tries)
		}
		t.next = time.Now().Add(min(firstRetry<<min(t.n, 20), lastRetry))
		t.n++
		f.tries[id] = t
	}
	return nil
}

// sources are p, if it is connected, and some other peers of the topic.
func (f *fetcher) sources(p peer.ID) []peer.ID {
	var sources []peer.ID
	if p != "" && f.l.s.cfg.Host.Network().Connectedness(p) == network.Connected {
		sources = append(sources, p)
	}
	others := f.l.topic.ListPeers()
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for _, o := range others {
		if len(sources) == maxSources {
			break
		}
		if o != p {
			sources = append(sources, o)
		}
	}
	return sources
}
