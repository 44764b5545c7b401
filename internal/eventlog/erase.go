package eventlog

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// erasePortion is how many events are erased in one commit: each may mean to
// write a payload anew.
const erasePortion = 16

// Erase takes the contents of stored events off the disk, durably, and says of
// how many: ids that are not stored or were erased here before change nothing.
// Header, id, order and proof stay, readers see no content, and a later copy that
// has it does not bring it back, as it does for an event that came without. The
// bytes leave the files with time; Purge sees to it.
func (s *Store) Erase(ctx context.Context, ids ...event.ID) (n int, err error) {
	for part := range slices.Chunk(ids, erasePortion) {
		erased := 0
		err := s.change(ctx, erasePortion*8, true, func(g *group) (err error) {
			erased, err = g.eraseAll(part)
			return err
		})
		if err != nil {
			return n, err
		}
		n += erased
	}
	return n, nil
}

// ExpireDue erases the contents whose event says that they expire at now or
// earlier, and says how many there were.
func (s *Store) ExpireDue(ctx context.Context, now time.Time) (n int, err error) {
	for {
		due, err := s.due(uint64(max(now.UnixMilli(), 0)))
		if err != nil || len(due) == 0 {
			return n, err
		}
		err = s.change(ctx, erasePortion*9, true, func(g *group) error { return g.expire(due) })
		if err != nil {
			return n, err
		}
		n += len(due)
	}
}

// due returns the first expiry keys that are due.
func (s *Store) due(now uint64) (keys [][]byte, err error) {
	err = s.view(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceExpiry}})
		defer it.Close()
		for it.Rewind(); it.Valid() && len(keys) < erasePortion; it.Next() {
			key := it.Item().KeyCopy(nil)
			if len(key) != expiryKeyLen {
				return errValue
			}
			if binary.BigEndian.Uint64(key[1:]) > now {
				return nil
			}
			keys = append(keys, key)
		}
		return nil
	})
	return keys, err
}

func (g *group) expire(keys [][]byte) error {
	ids := make([]event.ID, len(keys))
	for i, key := range keys {
		ids[i] = event.ID(key[9:])
		if err := g.del(key); err != nil {
			return err
		}
	}
	_, err := g.eraseAll(ids)
	return err
}

// erasing is the payloads that a commit takes contents out of.
type erasing struct {
	*group
	payloads map[uint64]*event.Batch // as they become
}

func (g *group) eraseAll(ids []event.ID) (n int, err error) {
	x := erasing{group: g, payloads: make(map[uint64]*event.Batch)}
	for i := range ids {
		erased, err := x.erase(&ids[i])
		if err != nil {
			return n, err
		}
		if erased {
			n++
		}
	}
	for arrival, b := range x.payloads {
		if err := g.set(appendPayloadKey(nil, arrival), b.Payload()); err != nil {
			return n, err
		}
		g.replaced = append(g.replaced, stored{arrival: arrival, batch: b})
	}
	return n, nil
}

// erase takes out the content of one event, also of copies of it in payloads
// that are stored for other events.
func (x *erasing) erase(id *event.ID) (bool, error) {
	rec, found, err := x.index(id)
	if err != nil || !found || rec.gone {
		return false, err
	}
	l, b, err := x.open(rec)
	if err != nil {
		return false, err
	}
	e := &b.Events[rec.place]
	if e.Expiry > 0 {
		if err := x.del(appendExpiryKey(nil, e.Expiry, id)); err != nil {
			return false, err
		}
	}
	copies, err := x.copies(l.no, e, rec.payload())
	if err != nil {
		return false, err
	}
	for _, arrival := range append(copies, rec.payload()) {
		if err := x.strip(l, arrival, id); err != nil {
			return false, err
		}
	}
	rec.erased, rec.gone = true, true
	return true, x.setIndex(id, rec)
}

// open returns the log and the payload of an event.
func (x *erasing) open(rec indexRec) (*logState, *event.Batch, error) {
	b, err := x.payload(rec.payload())
	if err != nil {
		return nil, nil, err
	}
	if rec.place >= len(b.Events) {
		return nil, nil, errValue
	}
	l, err := x.s.logs.makeLocked(x.txn, b.Log())
	return l, b, err
}

func (x *erasing) payload(arrival uint64) (*event.Batch, error) {
	if b := x.payloads[arrival]; b != nil {
		return b, nil
	}
	p, err := x.s.payload(x.txn, arrival)
	return p.batch, err
}

// copies returns other payloads in which an event lies and does not count.
func (x *erasing) copies(no uint32, e *event.Event, own uint64) (arrivals []uint64, err error) {
	it := x.txn.NewIterator(badger.IteratorOptions{Prefix: inLog(spaceTime, no)})
	defer it.Close()
	for it.Seek(appendTimeKey(nil, no, minusSpread(e.HLC), 0)); it.Valid(); it.Next() {
		key := it.Item().Key()
		_, first, arrival := parseTimeKey(key)
		if first > e.HLC {
			break
		}
		rec, err := timeRecOf(it.Item())
		if err != nil {
			return nil, err
		}
		if rec.counts.count() == rec.count || arrival == own || first+event.HLC(rec.span) < e.HLC {
			continue
		}
		b, err := x.payload(arrival)
		if err != nil {
			return nil, err
		}
		if placeOf(b, &e.ID) >= 0 {
			arrivals = append(arrivals, arrival)
		}
	}
	return arrivals, nil
}

func timeRecOf(item *badger.Item) (rec timeRec, err error) {
	err = item.Value(func(val []byte) (err error) {
		rec, err = decodeTimeRec(val)
		return err
	})
	return rec, err
}

func placeOf(b *event.Batch, id *event.ID) int {
	return slices.IndexFunc(b.Events, func(e event.Event) bool { return e.ID == *id })
}

// strip takes the content of an event out of one payload.
func (x *erasing) strip(l *logState, arrival uint64, id *event.ID) error {
	b, err := x.payload(arrival)
	if err != nil {
		return err
	}
	i := placeOf(b, id)
	if i < 0 {
		return errValue
	}
	if b.Events[i].Content == nil {
		return nil
	}
	bare, err := withoutContent(b, i)
	if err != nil {
		return err
	}
	l.rec.bytes += uint64(len(bare.Payload())) - uint64(len(b.Payload()))
	x.touch(l)
	x.payloads[arrival] = bare
	return nil
}

func withoutContent(b *event.Batch, i int) (*event.Batch, error) {
	p, err := b.Erase(i)
	if err != nil {
		return nil, err
	}
	return event.Decode(p)
}
