package eventlog

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// A sweep deletes what the cuts do not let count, log by log: first the events, in portions, then it
// makes anew what cannot be told from one event (mend.go). The logs that wait for the latter are marked
// in their records, authors that are done in theirs.

// endSweep goes on with what a kill has left, when the store is opened. What else is in its way is
// left to SetCuts: what was cut is refused even so.
func (s *Store) endSweep(ctx context.Context) error {
	_, err := s.sweep(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	s.log.Warn("store: what was cut is not deleted yet", "err", err)
	return nil
}

// sweep deletes in all logs, and says how many events. The caller has s.deleting, or
// nobody else has the store.
func (s *Store) sweep(ctx context.Context) (n int, err error) {
	authors := s.unswept()
	if len(authors) == 0 {
		return 0, nil
	}
	for no := uint32(1); int(no) <= s.logs.len(); no++ {
		deleted, err := s.sweepLog(ctx, no, authors)
		n += deleted
		if err != nil {
			return n, err
		}
	}
	return n, s.noteSwept(ctx, authors)
}

// sweeping is a sweep of one log.
type sweeping struct {
	s       *Store
	no      uint32
	log     event.LogID
	authors map[event.Author]*limit // of whom something may go
	at      []byte                  // time key of the payload that comes next
}

func (s *Store) sweepLog(ctx context.Context, no uint32, authors []event.Author) (n int, err error) {
	rec, ok := s.logs.numbered(no)
	if !ok {
		return 0, nil
	}
	w := sweeping{s: s, no: no, log: rec.id, authors: make(map[event.Author]*limit)}
	if err := w.choose(authors); err != nil {
		return 0, err
	}
	for a, l := range w.authors {
		if l.named {
			if err := s.trimGone(ctx, w.log, authorKey{no, a}, l.last); err != nil {
				return 0, err
			}
		}
	}
	for w.at != nil {
		portion, keys, err := w.next(ctx)
		if err != nil {
			return n, err
		}
		if len(portion) == 0 {
			continue
		}
		deleted := 0
		err = s.change(ctx, keys, false, func(g *group) (err error) {
			deleted, err = g.cutPayloads(w.log, portion)
			return err
		})
		if err != nil {
			return n, err
		}
		n += deleted
	}
	if rec, _ = s.logs.numbered(no); !rec.stale {
		return n, nil
	}
	return n, s.mend(ctx, no, authors)
}

// choose finds the authors of whom something in the log may not count, and where it begins.
func (w *sweeping) choose(authors []event.Author) error {
	from := unlimited
	err := w.s.view(func(txn *badger.Txn) error {
		for _, a := range authors {
			l := w.s.limitOf(a, w.log)
			if may, err := w.s.mayExceed(txn, authorKey{w.no, a}, l); err != nil {
				return err
			} else if !may {
				continue
			}
			w.authors[a] = l
			if l.named {
				from = 0 // no rule ties seq to hlc
			}
			from = min(from, l.at)
		}
		return nil
	})
	if len(w.authors) > 0 {
		w.at = appendTimeKey(nil, w.no, minusSpread(from), 0)
	}
	return err
}

// mayExceed reports whether something of an author may be stored that his limit does not let. Most
// authors are cut where they ended.
func (s *Store) mayExceed(txn *badger.Txn, k authorKey, l *limit) (bool, error) {
	rec, err := s.authorRec(txn, k)
	if err != nil || rec.seq == 0 || !l.named && l.at == unlimited {
		return false, err
	}
	if !l.named || l.at != unlimited || rec.seq > l.last.Seq {
		return true, nil
	}
	if rec.seq < l.last.Seq {
		return false, nil
	}
	w, err := s.windowRec(txn, windowKey{k, rec.seq / windowSeqs})
	return rec.last != l.last.ID || w.forks.has(int(rec.seq%windowSeqs)), err
}

// next reads the payloads of a portion that have something that does not count, and leaves in at
// where the next one begins, nil at the end.
func (w *sweeping) next(ctx context.Context) (portion []stored, keys int, err error) {
	err = w.s.view(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: inLog(spaceTime, w.no)})
		defer it.Close()
		for it.Seek(w.at); it.Valid(); it.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			key := it.Item().KeyCopy(nil)
			if keys >= portionKeys {
				w.at = key
				return nil
			}
			var p stored
			err := it.Item().Value(func(val []byte) (err error) {
				p, err = w.s.timed(txn, key, val)
				return err
			})
			if err != nil {
				return err
			}
			if l := w.authors[p.batch.Author()]; l != nil && exceeds(&p, l) {
				portion = append(portion, p)
				keys += 8 + 5*len(p.batch.Events)
			}
		}
		w.at = nil
		return nil
	})
	return portion, keys, err
}

// exceeds reports whether an event of a payload counts that a limit does not let.
func exceeds(p *stored, l *limit) bool {
	for i := range p.batch.Events {
		if p.counts.has(i) && !l.lets(&p.batch.Events[i]) {
			return true
		}
	}
	return false
}

// cutPayloads makes what does not count of payloads not count. Erase alone may have changed
// them since they were read: not their events, nor where they are.
func (g *group) cutPayloads(id event.LogID, portion []stored) (n int, err error) {
	l, err := g.s.logs.makeLocked(g.txn, id)
	if err != nil {
		return 0, err
	}
	g.touch(l)
	l.rec.cut, l.rec.stale = true, true
	for i := range portion {
		deleted, err := g.cutPayload(l, &portion[i])
		if err != nil {
			return n, err
		}
		n += deleted
	}
	return n, nil
}

func (g *group) cutPayload(l *logState, p *stored) (n int, err error) {
	first := p.batch.Events[0].HLC
	timeKey := appendTimeKey(nil, l.no, first, p.arrival)
	rec, found, err := getRecord(g.txn, timeKey, decodeTimeRec)
	if err != nil || !found {
		return 0, errors.Join(errValue, err)
	}
	limit := g.s.limitOf(p.batch.Author(), p.batch.Log())
	for i := range p.batch.Events {
		e := &p.batch.Events[i]
		if !rec.counts.has(i) || limit.lets(e) {
			continue
		}
		n++
		rec.counts.clear(i)
		g.moved = append(g.moved, indexRec{arrival: p.arrival + uint64(i), place: i})
		g.s.refused.add(e.ID)
		if err := g.cutEvent(l, e); err != nil {
			return n, err
		}
	}
	if rec.counts.count() == 0 {
		payload, err := get(g.txn, appendPayloadKey(nil, p.arrival))
		if err != nil {
			return n, err
		}
		return n, g.dropPayload(l, p, timeKey, len(payload))
	}
	split := splitRec{l.no, first}
	g.s.ids.split(p.arrival, split)
	if err := g.setRecord(splitKey(p.arrival), &split); err != nil {
		return n, err
	}
	return n, g.setRecord(timeKey, &rec)
}

// cutEvent takes an event out of all records but those that are made anew later. That it was
// erased is remembered, for it may come again.
func (g *group) cutEvent(l *logState, e *event.Event) error {
	rec, own, err := ownRecord(g.txn, &e.ID)
	if err != nil {
		return err
	}
	switch {
	case own && rec.gone:
		l.rec.bare, rec.cut = true, true
		err = g.setIndex(&e.ID, rec)
	case own:
		err = g.del(appendIndexKey(nil, &e.ID))
	}
	return errors.Join(err, g.uncountEvent(l, e))
}
