package delivery

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
)

// round is what is under way of one trigger. What it was told of, and the
// parents of what that brings, come before all else that is missing in the log:
// whoever names parents that nobody has delays nobody.
type round struct {
	f     *fetcher
	began time.Time
	heads bool             // somebody's heads are still to be asked for
	ids   []event.ID       // told, or found missing on the way
	old   []event.ID       // some of what was missing before
	whole bool             // when it began, no ancestor was missing
	left  int              // events that may still come
	asked map[event.ID]int // how often ids were asked for
}

// round fetches what p told of and what is missing, from p and then from
// others, until nothing is wanted, nobody has more, or the bound is reached:
// then it returns the rest. Errors are the store's.
func (f *fetcher) round(ctx context.Context, p peer.ID, t trigger) (rest *trigger, err error) {
	missing, err := f.l.s.cfg.Store.Missing(f.l.id)
	if err != nil {
		return nil, err
	}
	r := &round{
		f: f, began: time.Now(), heads: t.heads, ids: t.ids,
		whole: len(missing) == 0, left: maxRound, asked: make(map[event.ID]int),
	}
	r.pick(missing)
	for _, source := range f.sources(p) {
		done, err := r.drain(ctx, source)
		if err != nil || ctx.Err() != nil {
			return nil, err
		}
		if done {
			break
		}
	}
	if r.left <= 0 {
		rest = &trigger{ids: r.ids, heads: r.heads}
	}
	return rest, r.settle()
}

// pick takes some of what is missing, others each time.
func (r *round) pick(missing []event.ID) {
	for n, at := 0, rand.N(max(len(missing), 1)); n < len(missing) && len(r.old) < maxWant; n++ {
		if id := missing[(at+n)%len(missing)]; r.due(id) {
			r.old = append(r.old, id)
		}
	}
}

func (r *round) due(id event.ID) bool {
	t, _ := r.f.tries.Peek(id)
	return !t.next.After(r.began)
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
		fresh, failed := r.ask(ctx, p, q)
		r.left -= fresh
		if failed != nil {
			return false, nil
		}
		if len(q.want) == 0 {
			r.heads = false // told; what is missing below them comes next
			continue
		}
		if fresh == 0 {
			return false, nil
		}
	}
	return true, nil
}

// next makes the next request, nil if nothing is wanted.
func (r *round) next(limit int) (q *request, err error) {
	q = &request{log: r.f.l.id, limit: limit}
	if r.heads {
		q.limit = max(limit, 64)
		q.have, err = r.have()
		return q, err
	}
	if q.want, err = r.wanted(); err != nil || len(q.want) == 0 {
		return nil, err
	}
	for _, id := range q.want {
		r.asked[id]++
	}
	if !r.whole {
		return q, nil
	}
	missing, err := r.f.l.s.cfg.Store.Missing(r.f.l.id)
	if err == nil && len(missing) == 0 {
		q.limit = maxLimit
		q.have, err = r.have()
	}
	return q, err
}

// have is what one need not send us. What is missing below it is asked for by
// id, and then without it: else ancestors would come one generation at a time.
func (r *round) have() ([]event.ID, error) {
	heads, err := r.f.l.s.cfg.Store.Heads(r.f.l.id)
	return heads[:min(len(heads), maxHave)], err
}

// wanted returns up to maxWant ids to ask for that are not stored, those first
// that were asked for least.
func (r *round) wanted() ([]event.ID, error) {
	var err error
	if r.ids, err = r.notStored(r.ids); err != nil {
		return nil, err
	}
	want := slices.Clone(r.ids)
	if len(want) < maxWant {
		if r.old, err = r.notStored(r.old); err != nil {
			return nil, err
		}
		want = append(want, r.old...)
	}
	slices.SortStableFunc(want, func(a, b event.ID) int { return cmp.Compare(r.asked[a], r.asked[b]) })
	return want[:min(len(want), maxWant)], nil
}

// notStored keeps what is not stored and not known to be asked for in vain,
// each id once.
func (r *round) notStored(ids []event.ID) ([]event.ID, error) {
	kept := ids[:0]
	seen := make(map[event.ID]struct{}, len(ids))
	for _, id := range ids {
		if _, twice := seen[id]; twice || !r.due(id) {
			continue
		}
		seen[id] = struct{}{}
		ok, err := r.f.l.s.cfg.Store.Has(id)
		if err != nil {
			return nil, err
		}
		if !ok {
			kept = append(kept, id)
		}
	}
	return kept, nil
}

// ask sends one request and stores what comes. Failures of the peer are
// counted, not returned; the error only says that it is of no use to go on.
func (r *round) ask(ctx context.Context, p peer.ID, q *request) (fresh int, err error) {
	l := r.f.l
	err = l.s.ask(ctx, p, l, q, func(b *event.Batch) error {
		n, missing, err := l.admit(ctx, b, p)
		fresh += n
		r.ids = append(r.ids, missing[:min(len(missing), max(maxFound-len(r.ids), 0))]...)
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
		l.log.Debug("peer gave no events", "peer", p, "err", err)
	}
	l.s.metrics.asked.WithLabelValues(result).Inc()
	return fresh, err
}

// settle notes which of the ids that were asked for have not come: they are
// asked for less and less often.
func (r *round) settle() error {
	for id := range r.asked {
		ok, err := r.f.l.s.cfg.Store.Has(id)
		if err != nil {
			return err
		}
		if ok {
			r.f.tries.Remove(id)
			continue
		}
		t, _ := r.f.tries.Get(id)
		t.next = time.Now().Add(min(firstRetry<<min(t.n, 20), lastRetry))
		t.n++
		r.f.tries.Add(id, t)
	}
	return nil
}
