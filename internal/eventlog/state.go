package eventlog

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// AuthorState is what is stored of an author in a log.
type AuthorState struct {
	LastSeq uint64   // the highest, 0 if there is nothing
	LastID  event.ID // of the event that has it; if several have, the lowest
	Gaps    []Run    // what is missing between 1 and LastSeq
	Forks   []Run    // what two or more events share
}

// Heads returns the stored events of a log that have no stored child, the
// newest at most event.MaxParents of them by (hlc, id), newest first.
func (s *Store) Heads(log event.LogID) ([]event.ID, error) {
	newest := make([]Position, 0, event.MaxParents+1)
	err := s.logState(log, func(l *logState) {
		for id, h := range l.heads {
			p := Position{h.hlc, id}
			at, _ := slices.BinarySearchFunc(newest, p, func(a, b Position) int { return b.Compare(a) })
			if at < event.MaxParents {
				newest = slices.Insert(newest, at, p)
				newest = newest[:min(len(newest), event.MaxParents)]
			}
		}
	})
	out := make([]event.ID, len(newest))
	for i := range newest {
		out[i] = newest[i].ID
	}
	return out, err
}

// Missing returns the ids that stored events of a log name as parents and that
// are not stored, ascending.
func (s *Store) Missing(log event.LogID) ([]event.ID, error) {
	var out []event.ID
	err := s.logState(log, func(l *logState) {
		for id, m := range l.missing {
			if !m.rec.settled {
				out = append(out, id)
			}
		}
	})
	slices.SortFunc(out, event.ID.Compare)
	return out, err
}

// Complete reports whether Missing would return nothing, without making a list.
func (s *Store) Complete(log event.LogID) (complete bool, err error) {
	complete = true
	err = s.logState(log, func(l *logState) {
		for _, m := range l.missing {
			if complete = m.rec.settled; !complete {
				return
			}
		}
	})
	return complete, err
}

// Last returns LastSeq and LastID of what Author returns, and reads no more.
func (s *Store) Last(log event.LogID, author event.Author) (seq uint64, id event.ID, err error) {
	no, _ := s.logs.number(log)
	if no == 0 {
		return 0, id, nil
	}
	err = s.view(func(txn *badger.Txn) error {
		rec, err := s.authorRec(txn, authorKey{no, author})
		seq, id = rec.seq, rec.last
		return err
	})
	return seq, id, err
}

// Author returns what is stored of an author in a log. It reads 256 seqs at a time.
func (s *Store) Author(log event.LogID, author event.Author) (AuthorState, error) {
	var st AuthorState
	no, _ := s.logs.number(log)
	if no == 0 {
		return st, nil
	}
	err := s.view(func(txn *badger.Txn) error {
		id := (*[32]byte)(&author)
		rec, err := s.authorRec(txn, authorKey{no, author})
		if err != nil {
			return err
		}
		var seqs, forks runs
		add := func(window uint64, w windowRec) error {
			seqs, forks = seqs.addWindow(window, &w.seqs), forks.addWindow(window, &w.forks)
			return nil
		}
		newer := s.derived.windowsOf(authorKey{no, author})
		err = scan(txn, appendIDKey(nil, spaceSeqs, no, id), func(key, val []byte) error {
			w, err := decodeWindowRec(val)
			if err != nil || len(key) != seqsKeyLen {
				return errValue
			}
			window := binary.BigEndian.Uint64(key[idKeyLen:])
			_ = newer.until(window, add)
			if n, ok := newer.take(window); ok {
				w = n
			}
			return add(window, w)
		})
		_ = newer.until(math.MaxUint64, add)
		st = AuthorState{LastSeq: rec.seq, LastID: rec.last, Gaps: seqs.gaps(rec.seq), Forks: forks}
		return err
	})
	return st, err
}

// logState calls fn with the loaded state of a log, which is locked and may be
// ahead of the disk by the commit under way; not at all if there is no such log.
func (s *Store) logState(id event.LogID, fn func(l *logState)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.reading.RUnlock()
	s.logs.mu.Lock() // before the transaction begins: it must see what was written
	defer s.logs.mu.Unlock()
	return readFault(guard(func() error {
		return s.db.View(func(txn *badger.Txn) error {
			l, err := s.logs.peekLocked(txn, id, s.profile.logsHeld)
			if err == nil && l != nil {
				fn(l)
			}
			return err
		})
	}))
}
