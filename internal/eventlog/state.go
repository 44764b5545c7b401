package eventlog

import (
	"context"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// Gap is a run of sequence numbers, both ends included.
type Gap struct{ First, Last uint64 }

// AuthorState is what is stored of an author in a log.
type AuthorState struct {
	LastSeq uint64   // the highest, 0 if there is nothing
	LastID  event.ID // of the first event that was stored with it
	Gaps    []Gap    // what is missing between 1 and LastSeq
	Forks   []Gap    // what two or more events share
}

// Heads returns the stored events of a log that have no stored child, the
// newest at most event.MaxParents of them by (hlc, id), newest first.
func (s *Store) Heads(log event.LogID) ([]event.ID, error) {
	var all []Position
	err := s.logState(log, func(l *logState, _ *badger.Txn) error {
		all = make([]Position, 0, len(l.heads))
		for id, h := range l.heads {
			all = append(all, Position{h.hlc, id})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Position) int { return b.Compare(a) })
	out := make([]event.ID, 0, event.MaxParents)
	for i := range all[:min(len(all), event.MaxParents)] {
		out = append(out, all[i].ID)
	}
	return out, err
}

// Missing returns the ids that stored events of a log name as parents and that
// are not stored, ascending.
func (s *Store) Missing(log event.LogID) ([]event.ID, error) {
	var out []event.ID
	err := s.logState(log, func(l *logState, _ *badger.Txn) error {
		for id := range l.missing {
			out = append(out, id)
		}
		return nil
	})
	slices.SortFunc(out, event.ID.Compare)
	return out, err
}

// Author returns what is stored of an author in a log.
func (s *Store) Author(log event.LogID, author event.Author) (AuthorState, error) {
	var st AuthorState
	err := s.logState(log, func(l *logState, txn *badger.Txn) error {
		r, err := l.author(txn, author)
		if err != nil {
			return err
		}
		st = AuthorState{LastSeq: r.seqs.max(), LastID: r.last, Gaps: r.seqs.gaps()}
		for _, x := range r.forks {
			st.Forks = append(st.Forks, Gap{x.first, x.last})
		}
		return nil
	})
	return st, err
}

// logState calls fn with the loaded state of a log, which is locked; not at
// all if there is no such log.
func (s *Store) logState(id event.LogID, fn func(l *logState, txn *badger.Txn) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.reading.RUnlock()
	s.logs.mu.Lock() // before the transaction begins: it must see what was written
	defer s.logs.mu.Unlock()
	return readFault(guard(func() error {
		return s.db.View(func(txn *badger.Txn) error {
			l, err := s.logs.stateLocked(txn, id, false)
			if err != nil || l == nil {
				return err
			}
			return fn(l, txn)
		})
	}))
}

// maxMeta bounds a value of SetMeta, in bytes.
const maxMeta = 64 << 10

// Meta returns the value that SetMeta stored, nil if there is none.
func (s *Store) Meta(key string) (val []byte, err error) {
	err = s.view(func(txn *badger.Txn) error {
		val, err = get(txn, appKey(key))
		return err
	})
	return val, err
}

// SetMeta stores a small value of the application, at most 64 KiB, durably. A
// nil value deletes the key.
func (s *Store) SetMeta(key string, val []byte) error {
	if len(key) > 1<<10 || len(val) > maxMeta {
		return fmt.Errorf("eventlog: a key of %d and a value of %d bytes are too large", len(key), len(val))
	}
	out := make(chan error, 1)
	r := &request{key: appKey(key), val: slices.Clone(val), durable: true, done: func(_ Appended, err error) { out <- err }}
	if err := s.enqueue(context.Background(), r); err != nil {
		return err
	}
	return <-out
}
