package eventlog

import (
	"context"
	"iter"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// Query chooses events of one log.
type Query struct {
	Log     event.LogID
	Before  *Position // only events before this place, nil = no bound
	After   *Position // only events after this place, nil = no bound
	Limit   int       // at most so many; 0 = all
	Reverse bool      // newest first
}

// Sizes of the portions that iterators read: small at first, for most callers
// want a screenful.
const (
	firstPage = 64
	lastPage  = 512
)

// History yields the events of a log in the order of (hlc, id). The last pair
// has an error if reading failed or ctx ended.
func (s *Store) History(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		left := q.Limit
		if left <= 0 {
			left = math.MaxInt
		}
		q, size := q, firstPage // they move; the sequence may be used again
		yieldPages(yield, func() ([]Entry, bool, error) {
			n := min(size, left)
			page, err := s.page(ctx, q, n)
			left -= len(page)
			size = min(2*size, lastPage)
			if len(page) < n || left == 0 {
				return page, false, err
			}
			at := page[n-1].Position()
			if q.Reverse {
				q.Before = &at
			} else {
				q.After = &at
			}
			return page, true, err
		})
	}
}

// yieldPages yields what read returns, until there is no more or an error.
func yieldPages(yield func(Entry, error) bool, read func() (page []Entry, more bool, err error)) {
	for {
		page, more, err := read()
		for i := range page {
			if !yield(page[i], nil) {
				return
			}
		}
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if !more {
			return
		}
	}
}

// page reads the first n events of a query.
func (s *Store) page(ctx context.Context, q Query, n int) (out []Entry, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	no, _ := s.logs.number(q.Log)
	if no == 0 {
		return nil, nil
	}
	err = s.view(func(txn *badger.Txn) error {
		m := newMerge(s, txn, no, q)
		defer m.it.Close()
		f := forks{s: s, txn: txn}
		for len(out) < n {
			c, err := m.next()
			if err != nil || c == nil {
				return err
			}
			e, err := f.entry(&c.stored, c.at)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	return out, err
}
