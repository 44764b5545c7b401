package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"

	"github.com/dgraph-io/badger/v4"
)

// maxFindings is how many faults Check tells.
const maxFindings = 20

// Check compares everything in the store with everything else and tells what
// does not fit as ErrCorrupt. What waits for a checkpoint is written first, and nothing
// meanwhile: a million events take a quarter of a minute. These are the invariants:
//
//   - every payload decodes, has one time record that matches it, and their
//     arrival numbers do not overlap and lie below the lease;
//   - every event that counts has one index record, or one place in memory or the
//     runs, and each of those belongs to one or to a payload that was deleted; an event that
//     does not count is not indexed there, and its content is nowhere if it was erased here;
//   - runs are sorted, their entries in the blocks where they are looked for, and their
//     filters have them;
//   - every content that expires has its expiry record, none is too many;
//   - log, author, seqs, head, missing and control records and the sums are what the
//     events that count add up to, none too many: heads have no stored child,
//     missing parents are not stored, windows have the seqs there are;
//   - what memory holds of the logs is what the disk has.
//
// In a log with a floor author and seqs records are what the events and the records
// of deleted ones add up to; heads have no stored child above the floor, but a
// parent of something deleted may be none; and missing parents are some of those
// that events above the floor name, or are named below it alone. In a log of which events were
// just cut (SetCuts) records of authors, seqs, heads and missing parents are not looked at.
func (s *Store) Check(ctx context.Context) error {
	return s.ask(ctx, func() error { return s.check(ctx) })
}

// checker gathers what does not fit.
type checker struct {
	s        *Store
	txn      *badger.Txn
	no       uint32 // log that is being checked
	findings []error
	payloads int
	events   uint64
	own      map[uint64]struct{} // arrivals of events that have records of their own
	arrivals map[uint64]struct{} // of payloads
	cut      map[uint64]struct{} // arrivals of events that were cut out of them
	expiring uint64              // contents
}

func (s *Store) check(ctx context.Context) error {
	if err := s.checkpointNow(); err != nil {
		return err
	}
	c := &checker{s: s, own: make(map[uint64]struct{}), arrivals: make(map[uint64]struct{}), cut: make(map[uint64]struct{})}
	err := guard(func() error { return s.db.View(func(txn *badger.Txn) error { return c.checkAll(ctx, txn) }) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.findings = append(c.findings, err)
	}
	if len(c.findings) == 0 {
		return nil
	}
	return ErrCorrupt.With(errors.Join(c.findings[:min(len(c.findings), maxFindings)]...))
}

func (c *checker) checkAll(ctx context.Context, txn *badger.Txn) error {
	c.txn = txn
	for no := uint32(1); int(no) <= c.s.logs.len(); no++ {
		if err := c.checkLog(ctx, no); err != nil {
			return err
		}
	}
	if err := c.checkDerived(); err != nil {
		return err
	}
	if err := c.checkPayloads(); err != nil {
		return err
	}
	return c.checkIndex()
}

func (c *checker) found(format string, args ...any) {
	c.findings = append(c.findings, fmt.Errorf(format, args...))
}

func (c *checker) checkLog(ctx context.Context, no uint32) error {
	c.no = no
	now, _ := c.s.logs.numbered(no)
	t, err := c.s.tallyLog(ctx, c.txn, no, math.MaxUint64, c.checkEvent, func(key, _ []byte, have, wanted bool) error {
		switch {
		case now.stale && key[0] != spaceSums && key[0] != spaceControl:
		case !have:
			c.found("record %c %x is not there", key[0], key[1:])
		case !wanted:
			c.found("record %c %x is too many", key[0], key[1:])
		default:
			c.found("record %c %x is wrong", key[0], key[1:])
		}
		return nil
	})
	if err != nil {
		return err
	}
	if t.deleted && t.rec.floor == 0 {
		c.found("log %d has no floor and events that were deleted", no)
	}
	c.payloads += t.payloads
	c.events += t.rec.count
	return c.checkMemory(t)
}

// checkDerived checks what is kept of derived records. All of it is on disk: a checkpoint came before.
func (c *checker) checkDerived() error {
	d := &c.s.derived
	author := func(k authorKey) []byte { return appendIDKey(nil, spaceAuthor, k.no, (*[32]byte)(&k.author)) }
	window := func(k windowKey) []byte { return appendWindowKey(nil, spaceSeqs, k) }
	sum := func(k sumsKey) []byte { return appendSumsKey(nil, k) }
	return errors.Join(checkLayer(c, &d.authors, author, decodeAuthorRec),
		checkLayer(c, &d.windows, window, decodeWindowRec), checkLayer(c, &d.sums, sum, decodeSum))
}

func checkLayer[K, V comparable](c *checker, l *layer[K, V], key func(K) []byte, decode func([]byte) (V, error)) error {
	held := make(map[K]V)
	l.each(func(k K, v V) { held[k] = v })
	for k, v := range held {
		rec, _, err := getRecord(c.txn, key(k), decode)
		if err != nil {
			return err
		}
		if rec != v {
			c.found("record %x is held as %v, not %v", key(k), v, rec)
		}
	}
	return nil
}

// checkEvent checks the index record of an event that counts.
func (c *checker) checkEvent(p *stored, place int) error {
	e := &p.batch.Events[place]
	id := e.ID
	if l := c.s.limitOf(e.Author, e.Log); l != nil && !l.lets(e) && c.s.cutsNow()[e.Author].swept {
		c.found("event %v is cut and counts", id)
	}
	rec, own, err := ownRecord(c.txn, &id)
	if err == nil && !own {
		rec, _, err = c.s.ids.find(c.s.db, c.txn, &id)
	} else {
		c.own[rec.arrival] = struct{}{}
	}
	want := indexRec{arrival: p.arrival + uint64(place), place: place, log: c.no, erased: e.Content == nil, gone: rec.gone}
	if err != nil || rec != want {
		c.found("event %v counts at %d and is not indexed there", id, want.arrival)
	}
	if e.Expiry == 0 || e.Content == nil {
		return nil
	}
	c.expiring++
	if val, err := get(c.txn, appendExpiryKey(nil, e.Expiry, &id)); err != nil || val == nil {
		c.found("event %v expires and is not indexed for that", id)
	}
	return nil
}

// checkPayloads checks the arrival numbers, and the events that do not count.
func (c *checker) checkPayloads() error {
	n, next := 0, uint64(1)
	err := scan(c.txn, []byte{spacePayload}, func(key, _ []byte) error {
		n++
		if len(key) != 9 {
			return errValue
		}
		p, err := c.s.payload(c.txn, binary.BigEndian.Uint64(key[1:]))
		if err != nil {
			return err
		}
		if p.arrival < next {
			c.found("payload %d overlaps the one before", p.arrival)
		}
		next = p.last() + 1
		c.arrivals[p.arrival] = struct{}{}
		return c.checkOthers(p)
	})
	if n != c.payloads {
		c.found("%d payloads have %d time records", n, c.payloads)
	}
	if next > c.s.writer.next || c.s.writer.next > c.s.writer.leased {
		c.found("arrival %d is the last, %d the next, and the lease ends at %d", next-1, c.s.writer.next, c.s.writer.leased)
	}
	return err
}

func (c *checker) checkOthers(p stored) error {
	p, err := c.s.counting(c.txn, p)
	if err != nil {
		return err
	}
	_, split := c.s.ids.splitOf(p.arrival)
	for i := range p.batch.Events {
		if p.counts.has(i) {
			continue
		}
		if split {
			c.cut[p.arrival+uint64(i)] = struct{}{}
		}
		id := p.batch.Events[i].ID
		rec, found, err := c.s.index(c.txn, &id)
		if err != nil || found && rec.arrival == p.arrival+uint64(i) {
			c.found("event %v is indexed where it does not count", id)
		}
		if rec.gone && p.batch.Events[i].Content != nil {
			c.found("event %v was erased and its content lies in payload %d", id, p.arrival)
		}
	}
	return nil
}

// checkIndex checks that there are no index and expiry records but those of
// events that count.
func (c *checker) checkIndex() error {
	n := uint64(0)
	err := scan(c.txn, []byte{spaceIndex}, func(_, val []byte) error {
		rec, err := decodeIndexRec(val)
		if !rec.cut {
			n++
		}
		return err
	})
	if n != uint64(len(c.own)) {
		c.found("%d events have %d records of their own", len(c.own), n)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(c.checkRuns(), c.checkCuts()); err != nil {
		return err
	}
	n, err = countKeys(c.txn, spaceExpiry)
	if n != c.expiring {
		c.found("%d contents that expire have %d records", c.expiring, n)
	}
	return err
}

func countKeys(txn *badger.Txn, space byte) (n uint64, err error) {
	err = scan(txn, []byte{space}, func(_, _ []byte) error {
		n++
		return nil
	})
	return n, err
}

// checkMemory checks what is held of a log. The writer does not run meanwhile.
func (c *checker) checkMemory(t *tally) error {
	c.s.logs.mu.Lock()
	defer c.s.logs.mu.Unlock()
	l := c.s.logs.byNo[t.no-1]
	if l == nil {
		return nil
	}
	if l.rec != t.rec && !l.rec.stale {
		c.found("log %d is held as %+v, not %+v", t.no, l.rec, t.rec)
	}
	if !l.loaded {
		return nil
	}
	disk := &logState{no: t.no}
	if err := disk.load(c.txn); err != nil {
		return err
	}
	sameHead := func(a, b *head) bool { return a.hlc == b.hlc && a.stored == b.stored }
	sameMissing := func(a, b *missing) bool { return a.rec == b.rec && a.stored == b.stored && a.changed == b.changed }
	if !maps.EqualFunc(l.heads, disk.heads, sameHead) || !maps.EqualFunc(l.missing, disk.missing, sameMissing) {
		c.found("log %d: heads or missing parents held are not those stored", t.no)
	}
	return nil
}
