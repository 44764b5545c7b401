package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/reconcile"
)

// SchemaVersion is the version of the layout in keys.go and values.go.
//
//   - 1: fingerprints of 64 s (f).
//   - 2: sums in levels (g), bytes and floors of logs, the newest second that
//     names a missing parent, deleted seqs (r), contents that expire (x).
//   - 3: where events are in runs (j).
//   - 4: cuts (k), payloads of which some events were cut (d), and marks of that in the records
//     of logs (l) and of erased events (i). Nothing has to be taken over; an earlier Parley
//     would take in again what was cut, and refuses the store.
const SchemaVersion = 4

// checkSchema writes the version into a new store. In one of an earlier schema
// it notes that this is being taken over: from then on an earlier Parley
// refuses the store, as it would refuse one of the present schema.
func (s *Store) checkSchema() error {
	return s.db.Update(func(txn *badger.Txn) error { // a store of schema 2 has nothing to be taken over
		val, err := get(txn, keySchema)
		switch {
		case err != nil:
			return err
		case val == nil && !isEmpty(txn):
			return ErrCorrupt.With(errors.New("it has no schema version"))
		case val == nil:
			return txn.Set(keySchema, []byte{SchemaVersion})
		case len(val) != 1 || val[0] == 0:
			return errValue
		case val[0] > SchemaVersion:
			return ErrSchema.Withf("the store has schema %d, this Parley knows %d", val[0], SchemaVersion)
		case val[0] == SchemaVersion:
			return nil
		case val[0] == 1:
			if err := txn.Set(keyMigration, appendMigration(nil, 1)); err != nil {
				return err
			}
		}
		return txn.Set(keySchema, []byte{SchemaVersion})
	})
}

// appendMigration is the value of keyMigration: the log that comes next. Schema 1
// is the only one to come from.
func appendMigration(b []byte, no uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, 1), no)
}

func isEmpty(txn *badger.Txn) bool {
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	it.Rewind()
	return !it.Valid()
}

// migrate makes of a store of schema 1 what schema 2 had, log by log. What it writes
// depends on the payloads alone, so whenever it is interrupted it goes on at the
// next opening, at the latest with the log it was at.
func (s *Store) migrate(ctx context.Context) error {
	next, err := s.migration()
	if err != nil || next == 0 {
		return err
	}
	total, _ := s.logs.totals()
	s.log.Info("store: taking over an earlier schema", "events", total)
	m := &migrating{s: s, total: total}
	for ; int(next) <= s.logs.len(); next++ {
		if s.logs.byNo[next-1] == nil {
			continue
		}
		if err := m.log(ctx, next); err != nil {
			return fmt.Errorf("taking over log %d: %w", next, err)
		}
		if err := s.setNow(keyMigration, appendMigration(nil, next+1)); err != nil {
			return err
		}
	}
	if err := m.dropOldSums(); err != nil {
		return err
	}
	if err := s.syncFiles(); err != nil {
		return err
	}
	if err := s.setNow(keyMigration, nil); err != nil {
		return err
	}
	s.log.Info("store: the earlier schema is taken over", "events", total)
	return s.logs.load(s.db)
}

// migration returns the log with which taking over goes on, 0 if there is none.
func (s *Store) migration() (next uint32, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		val, err := get(txn, keyMigration)
		if err != nil || val == nil {
			return err
		}
		if len(val) != 5 || val[0] != 1 {
			return errValue
		}
		next = binary.BigEndian.Uint32(val[1:])
		return nil
	})
	return next, err
}

// setNow sets or, with a nil val, deletes a key before the writer runs.
func (s *Store) setNow(key, val []byte) error {
	return s.db.Update(func(txn *badger.Txn) error {
		if val == nil {
			return txn.Delete(key)
		}
		return txn.Set(key, val)
	})
}

type migrating struct {
	s           *Store
	total, seen uint64
	told        uint64
	writes      int
	w           *badger.WriteBatch
}

// tellEvery is after how many events progress is told.
const tellEvery = 100_000

// log writes the records of one log that schema 1 did not have.
func (m *migrating) log(ctx context.Context, no uint32) error {
	m.w = m.s.db.NewWriteBatch()
	defer m.w.Cancel()
	state := &logState{no: no}
	err := m.s.db.View(func(txn *badger.Txn) error {
		if err := state.load(txn); err != nil {
			return err
		}
		rec, _, err := getRecord(txn, logKey(no), decodeLogRec)
		if err != nil {
			return err
		}
		rec.bytes = 0
		sums := newSumming(no, func(k sumsKey, sum *reconcile.Sum) error {
			return m.set(appendSumsKey(nil, k), appendSum(nil, sum))
		})
		err = m.s.walkLog(ctx, txn, no, func(p *stored) error {
			rec.bytes += uint64(len(p.batch.Payload()))
			return m.payload(p, state, sums)
		})
		if err != nil {
			return err
		}
		if err := sums.end(); err != nil {
			return err
		}
		return m.set(logKey(no), rec.appendTo(nil))
	})
	if err != nil {
		return err
	}
	for id, x := range state.missing {
		if err := m.set(appendIDKey(nil, spaceMissing, no, (*[32]byte)(&id)), x.rec.appendTo(nil)); err != nil {
			return err
		}
	}
	return m.w.Flush()
}

func (m *migrating) payload(p *stored, state *logState, sums *summing) error {
	if err := sums.pass(secondOf(p.batch.Events[0].HLC)); err != nil {
		return err
	}
	for i := range p.batch.Events {
		if !p.counts.has(i) {
			continue
		}
		e := &p.batch.Events[i]
		sums.add(e)
		for j := range e.Parents {
			if x := state.missing[e.Parents[j]]; x != nil {
				x.rec.second = max(x.rec.second, secondOf(e.HLC), 1)
			}
		}
		if e.Expiry > 0 && e.Content != nil {
			if err := m.set(appendExpiryKey(nil, e.Expiry, &e.ID), nil); err != nil {
				return err
			}
		}
	}
	m.seen += uint64(p.counts.count())
	if m.seen-m.told >= tellEvery {
		m.told = m.seen
		m.s.log.Info("store: taking over an earlier schema", "events", m.seen, "of", m.total)
	}
	return nil
}

// set writes a key, and looks at the space that is left now and then.
func (m *migrating) set(key, val []byte) error {
	if m.writes++; m.writes%1024 == 0 {
		if err := m.s.spaceToWrite(0); err != nil {
			return err
		}
	}
	return m.w.Set(key, val)
}

// dropOldSums deletes the fingerprints of schema 1.
func (m *migrating) dropOldSums() error {
	w := m.s.db.NewWriteBatch()
	defer w.Cancel()
	err := m.s.db.View(func(txn *badger.Txn) error {
		return scan(txn, []byte{'f'}, func(key, _ []byte) error { return w.Delete(slices.Clone(key)) })
	})
	if err != nil {
		return err
	}
	return w.Flush()
}
