package delivery

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// admitted is what became of fetched batches.
type admitted struct {
	fresh   int            // events that were new
	missing bool           // parents of some are
	cut     int            // events that are cut
	refused []*event.Batch // cannot be taken before their parents
}

// admit stores fetched batches in their order, those that are from the future
// excepted: they are held aside. It waits while an author is over his budget;
// that keys can be made as many as one likes is held against who brings unknown
// authors. What comes before an error is stored. Errors: errAuthors, ctx's, the
// store's.
func (l *Log) admit(ctx context.Context, from peer.ID, batches []*event.Batch) (got admitted, err error) {
	var due []*event.Batch
	for _, b := range batches {
		if now := l.s.cfg.Now(); l.early(now, b) {
			l.hold(now, arrival{b, from})
			continue
		}
		if err = l.welcome(b.Author(), from); err != nil {
			break
		}
		if err = l.s.budgets.authors.Wait(ctx, b.Author(), len(b.Payload())); err != nil {
			break
		}
		due = append(due, b)
	}
	for len(due) > 0 {
		now := due[:min(len(due), appendAtOnce)]
		due = due[len(now):]
		res, errs := l.s.cfg.Store.AppendAll(ctx, now, l.direct)
		for i, b := range now {
			fresh, _ := l.appended(b, res[i], errs[i], false)
			got.fresh += fresh
			got.cut += len(res[i].Cut)
			got.missing = got.missing || len(res[i].Missing) > 0
			switch {
			case errors.Is(errs[i], eventlog.ErrScattered):
				got.refused = append(got.refused, b)
			case err == nil:
				err = errs[i]
			}
		}
	}
	l.s.metrics.fetched.Add(float64(got.fresh))
	return got, err
}

// welcome charges from for an author that is not known here, once for those
// whom it brings together.
func (l *Log) welcome(a event.Author, from peer.ID) error {
	if l.known.author(a) {
		return nil
	}
	last, _, err := l.s.cfg.Store.Last(l.id, a)
	if err != nil {
		return err
	}
	if last == 0 && !l.s.budgets.newAuthors.Take(from, 1) {
		l.s.metrics.ignored.WithLabelValues("authors").Inc()
		return errAuthors
	}
	l.known.authors.ContainsOrAdd(a, last)
	return nil
}
