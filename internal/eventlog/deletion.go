package eventlog

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// deletion deletes what lies below the floor of a log.
type deletion struct {
	s     *Store
	log   event.LogID
	no    uint32
	floor uint64
	keep  func(e *Entry) bool
	done  *Retained
	at    []byte // time key of the payload that comes next
}

// portionKeys bounds the keys of one portion: some milliseconds of the writer.
const portionKeys = 2048

var errDone = errors.New("done") // ends a walk

func doneIsNil(err error) error {
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

func (d *deletion) run(ctx context.Context) error {
	for d.at = inLog(spaceTime, d.no); d.at != nil; {
		portion, keys, err := d.next(ctx)
		if err != nil {
			return err
		}
		if len(portion) == 0 {
			continue
		}
		var deleted Retained
		err = d.s.change(ctx, keys, false, func(g *group) (err error) {
			deleted, err = g.deletePayloads(d.log, portion)
			return err
		})
		if err != nil {
			return err
		}
		d.done.Events += deleted.Events
		d.done.Payloads += deleted.Payloads
		d.done.Bytes += deleted.Bytes
	}
	return d.forgetMissing(ctx)
}

// next reads the payloads of a portion, the oldest first, and leaves in at where
// the next one begins, nil at the end.
func (d *deletion) next(ctx context.Context) (portion []stored, keys int, err error) {
	err = d.s.view(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: inLog(spaceTime, d.no)})
		defer it.Close()
		for it.Seek(d.at); it.Valid(); it.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			key := it.Item().KeyCopy(nil)
			if _, first, _ := parseTimeKey(key); secondOf(first) >= d.floor {
				break
			}
			if keys >= portionKeys {
				d.at = key
				return nil
			}
			p, err := d.read(txn, it.Item(), key)
			if err != nil {
				return err
			}
			if p.batch != nil {
				portion = append(portion, p)
				keys += 8 + 5*len(p.batch.Events)
			}
		}
		d.at = nil
		return nil
	})
	return portion, keys, err
}

// read returns a payload that goes, none if it stays.
func (d *deletion) read(txn *badger.Txn, item *badger.Item, key []byte) (p stored, err error) {
	err = item.Value(func(val []byte) (err error) {
		p, err = d.s.timed(txn, key, val)
		return err
	})
	if err != nil {
		return stored{}, err
	}
	if secondOf(p.batch.Events[len(p.batch.Events)-1].HLC) >= d.floor {
		return stored{}, nil
	}
	if kept, err := d.s.isKept(txn, &p, d.keep); err != nil || kept {
		return stored{}, err
	}
	return p, nil
}

// deletePayloads deletes payloads that were read before. Who may have changed
// them since has changed neither their events nor where they are.
func (g *group) deletePayloads(id event.LogID, portion []stored) (done Retained, err error) {
	l, err := g.s.logs.makeLocked(g.txn, id)
	if err != nil {
		return done, err
	}
	g.touch(l)
	for i := range portion {
		if err := g.deletePayload(l, &portion[i], &done); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (g *group) deletePayload(l *logState, p *stored, done *Retained) error {
	timeKey := appendTimeKey(nil, l.no, p.batch.Events[0].HLC, p.arrival)
	rec, found, err := getRecord(g.txn, timeKey, decodeTimeRec)
	if err != nil || !found {
		return err
	}
	payload, err := get(g.txn, appendPayloadKey(nil, p.arrival))
	if err != nil {
		return err
	}
	for i := range p.batch.Events {
		if !rec.counts.has(i) {
			continue
		}
		if err := g.deleteEvent(l, &p.batch.Events[i]); err != nil {
			return err
		}
		done.Events++
	}
	done.Bytes += int64(len(payload))
	done.Payloads++
	return g.dropPayload(l, p, timeKey, len(payload))
}

// dropPayload deletes a payload of which nothing counts any more.
func (g *group) dropPayload(l *logState, p *stored, timeKey []byte, size int) error {
	l.rec.bytes -= uint64(size)
	g.dropped = append(g.dropped, p.arrival)
	keys := [][]byte{timeKey, appendPayloadKey(nil, p.arrival)}
	if _, split := g.s.ids.splitOf(p.arrival); split {
		keys = append(keys, splitKey(p.arrival))
	}
	for _, key := range keys {
		if err := g.del(key); err != nil {
			return err
		}
	}
	return nil
}

// deleteEvent takes an event out of all records but those of its author, and
// notes there that it was.
func (g *group) deleteEvent(l *logState, e *event.Event) error {
	if err := g.noteDeleted(l, e); err != nil {
		return err
	}
	if _, own, err := ownRecord(g.txn, &e.ID); err != nil {
		return err
	} else if own { // an entry of a run goes when that is merged
		if err := g.del(appendIndexKey(nil, &e.ID)); err != nil {
			return err
		}
	}
	return g.uncountEvent(l, e)
}

// uncountEvent takes an event out of all records but those of its author and under i.
func (g *group) uncountEvent(l *logState, e *event.Event) error {
	l.rec.count--
	g.sums.at(l.no, e.HLC).Remove((*[32]byte)(&e.ID))
	var keys [][]byte
	if e.Kind != event.KindMessage {
		keys = append(keys, appendControlKey(nil, l.no, e.HLC, &e.ID))
	}
	if e.Expiry > 0 {
		keys = append(keys, appendExpiryKey(nil, e.Expiry, &e.ID))
	}
	if h := l.heads[e.ID]; h != nil {
		delete(l.heads, e.ID)
		l.tighten(h.by)
		keys = append(keys, appendIDKey(nil, spaceHead, l.no, (*[32]byte)(&e.ID)))
	}
	for _, key := range keys {
		if err := g.del(key); err != nil {
			return err
		}
	}
	return nil
}

// noteDeleted keeps the seq of a deleted event: gaps and forks stay what they are.
func (g *group) noteDeleted(l *logState, e *event.Event) error {
	k := authorKey{l.no, e.Author}
	a, err := g.goneAuthor(k)
	if err != nil {
		return err
	}
	a.rec.add(e)
	w, err := g.goneWindow(windowKey{k, e.Seq / windowSeqs})
	if err != nil {
		return err
	}
	if w.rec.add(e.Seq) {
		l.rec.forks--
	}
	return nil
}

// forgetMissing deletes what is known of missing parents that nothing above the
// floor names.
func (d *deletion) forgetMissing(ctx context.Context) error {
	for more := true; more; {
		err := d.s.change(ctx, portionKeys, false, func(g *group) (err error) {
			more, err = g.forgetMissing(d.log, d.floor)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *group) forgetMissing(log event.LogID, floor uint64) (more bool, err error) {
	l, err := g.s.logs.makeLocked(g.txn, log)
	if err != nil {
		return false, err
	}
	n := 0
	for id, m := range l.missing {
		if m.rec.second >= floor {
			continue
		}
		if n++; n > portionKeys {
			return true, nil
		}
		delete(l.missing, id)
		l.tighten(m.by)
		if err := g.del(appendIDKey(nil, spaceMissing, l.no, (*[32]byte)(&id))); err != nil {
			return false, err
		}
	}
	return false, nil
}
