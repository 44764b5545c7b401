package eventlog

import (
	"context"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// RetainOptions says what of a log goes.
type RetainOptions struct {
	Before   time.Time           // what is of an earlier whole second; zero: nothing for its age
	MaxBytes int64               // the oldest, until the payloads are no more bytes than this; 0: nothing for its size
	Keep     func(e *Entry) bool // the payload that has this event stays all the same; may be nil
}

// Retained is what Retain did.
type Retained struct {
	Floor    uint64 // of the log, now
	Events   int    // deleted
	Payloads int
	Bytes    int64 // of the payloads
}

// Retain raises the floor of a log and deletes the payloads that lie below it
// as a whole; one that is kept or lies on both sides stays, and can be read as
// before. What is below the floor is no part of Range any more and is refused by
// Append. The floor never falls, and may be raised before a log has events. What
// is known of authors (Author) stays.
//
// It goes by portions: others write in between. If it ends early, by its context
// or a kill, the next call goes on, whatever its options. Reclaim gives the disk back.
func (s *Store) Retain(ctx context.Context, log event.LogID, o RetainOptions) (Retained, error) {
	var r Retained
	leave, err := s.deleting.enter(ctx)
	if err != nil {
		return r, err
	}
	defer leave()
	floor := uint64(max(o.Before.Unix(), 0))
	if o.MaxBytes > 0 {
		bySize, err := s.floorBySize(ctx, log, o)
		if err != nil {
			return r, err
		}
		floor = max(floor, bySize)
	}
	if floor > s.Floor(log) {
		if err := s.change(ctx, 1, true, func(g *group) error { return g.raiseFloor(log, floor) }); err != nil {
			return r, err
		}
	}
	if r.Floor = s.Floor(log); r.Floor == 0 {
		return r, nil
	}
	d := deletion{s: s, log: log, floor: r.Floor, keep: o.Keep, done: &r}
	d.no, _ = s.logs.number(log)
	return r, d.run(ctx)
}

// Floor returns the whole second from which on a log is kept, 0 if all of it is.
func (s *Store) Floor(log event.LogID) uint64 {
	no, _ := s.logs.number(log)
	if no == 0 {
		return 0
	}
	return s.logs.floor(no)
}

// change has the writer change something in a commit of its own. It frees space,
// so it may use half of what is reserved.
func (s *Store) change(ctx context.Context, keys int, durable bool, apply func(g *group) error) error {
	_, err := s.enqueue(ctx, &request{apply: apply, keys: keys, durable: durable}).wait()
	return err
}

func (g *group) raiseFloor(id event.LogID, floor uint64) error {
	if g.s.logs.byID[id] == nil && len(g.s.logs.byNo) >= g.s.profile.logs {
		return nil
	}
	l, err := g.s.logs.makeLocked(g.txn, id)
	if err != nil {
		return err
	}
	l.rec.floor = max(l.rec.floor, floor)
	g.touch(l)
	return nil
}

// floorBySize returns the lowest floor under which enough lies that a log has
// no more than so many bytes.
func (s *Store) floorBySize(ctx context.Context, log event.LogID, o RetainOptions) (floor uint64, err error) {
	no, rec := s.logs.record(log)
	excess := int64(rec.bytes) - o.MaxBytes
	if no == 0 || excess <= 0 {
		return 0, nil
	}
	err = s.view(func(txn *badger.Txn) error {
		err := s.walkLog(ctx, txn, no, func(p *stored) error {
			kept, err := s.isKept(txn, p, o.Keep)
			if err != nil || kept {
				return err
			}
			floor = max(floor, secondOf(p.batch.Events[len(p.batch.Events)-1].HLC)+1)
			if excess -= int64(len(p.batch.Payload())); excess <= 0 {
				return errDone
			}
			return nil
		})
		return doneIsNil(err)
	})
	return floor, err
}

// isKept reports that keep wants an event of a payload to stay.
func (s *Store) isKept(txn *badger.Txn, p *stored, keep func(e *Entry) bool) (bool, error) {
	if keep == nil {
		return false, nil
	}
	f := forks{s: s, txn: txn}
	for i := range p.batch.Events {
		if !p.counts.has(i) {
			continue
		}
		e, err := f.entry(p, i)
		if err != nil || keep(&e) {
			return true, err
		}
	}
	return false, nil
}

// Settle notes that missing parents lie below what anybody keeps, or were cut: Missing does
// not return them any more. They may still come. Ids that are not missing change
// nothing.
func (s *Store) Settle(ctx context.Context, log event.LogID, ids []event.ID) error {
	for len(ids) > 0 {
		part := ids[:min(len(ids), maxGroupKeys/4)]
		ids = ids[len(part):]
		err := s.change(ctx, len(part), false, func(g *group) error {
			if g.s.logs.byID[log] == nil {
				return nil
			}
			l, err := g.s.logs.makeLocked(g.txn, log)
			for i := range part {
				g.settle(l, &part[i])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle notes that a parent, if it is missing, will not be found.
func (g *group) settle(l *logState, id *event.ID) {
	if m := l.missing[*id]; m != nil && !m.rec.settled {
		m.rec.settled, m.changed, g.alone = true, true, true
		pending := &g.s.writer.pending
		pending.missing = append(pending.missing, idInLog{l, *id})
	}
}
