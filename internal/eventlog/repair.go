package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// After a kill nothing is torn: what was committed lies in the operating
// system's cache. After a loss of power it may be: of what was not synced,
// badger's files may have kept the later part and lost the earlier, or a key
// and not its value. Then payloads are missing in the row of arrival numbers or
// cannot be read, and the records of their logs count what is not there.

// repair brings what lies beside the payloads up to them, after an unclean end. Those numbered from the last
// checkpoint on are taken into the derived records. If one from synced on is missing or cannot be read, or the
// checkpoint tells of more than there is, what points to lost ones is taken out and the records of
// the logs that were written to are made anew.
func (s *Store) repair(ctx context.Context, synced uint64) error {
	rec, err := s.derivedOnDisk()
	if err != nil {
		return err
	}
	r := &repairing{s: s, synced: synced, torn: make(map[uint64]bool), logs: make(map[uint32]bool), more: make(map[uint32]int64)}
	next, whole, err := r.look(ctx, min(synced, rec.next))
	if err != nil {
		return err
	}
	known := rec.next < math.MaxUint64
	if whole && !rec.torn && (!known || rec.next <= next) {
		if known && rec.next < next {
			return s.replay(ctx, rec.next)
		}
		return nil
	}
	return r.repair(ctx, rec)
}

// look looks through the payloads numbered from a number on, and says which number comes behind the last,
// and whether none is missing.
func (r *repairing) look(ctx context.Context, from uint64) (next uint64, whole bool, err error) {
	next, whole = r.synced, true
	err = r.s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spacePayload}})
		defer it.Close()
		for it.Seek(appendPayloadKey(nil, from)); it.Valid() && ctx.Err() == nil; it.Next() {
			arrival := binary.BigEndian.Uint64(it.Item().Key()[1:])
			p, err := r.s.payload(txn, arrival)
			if err != nil {
				r.s.log.Warn("store: a payload was lost", "arrival", arrival, "err", err)
				r.torn[arrival], whole = true, false
				continue
			}
			no, _ := r.s.logs.number(p.batch.Log())
			r.logs[no] = true
			if arrival >= r.synced {
				whole = whole && arrival == next
				next = p.last() + 1
			}
		}
		return ctx.Err()
	})
	return next, whole, err
}

// repair makes anew what is torn. It notes that first: once some of it is done, the rest cannot be
// told from what is whole.
func (r *repairing) repair(ctx context.Context, rec derivedRec) error {
	s := r.s
	r.since = rec.next
	s.log.Warn("store: repairing what an unclean end has torn", "from", r.synced, "lost", len(r.torn))
	rec.torn = true
	if err := s.setNow(keyDerived, rec.appendTo(nil)); err != nil {
		return err
	}
	if err := s.syncFiles(); err != nil {
		return err
	}
	for _, l := range s.logs.byID {
		r.more[l.no] -= int64(l.rec.count)
	}
	if err := r.removeLost(); err != nil {
		return err
	}
	for no, n := range r.more { // payloads were lost without a trace and a later checkpoint was not, or the log's record was
		if n != 0 {
			r.logs[no] = true
		}
	}
	for no := range r.logs {
		if err := r.rewrite(ctx, no); err != nil {
			return err
		}
	}
	if err := s.logs.load(s.db); err != nil {
		return err
	}
	return s.db.View(func(txn *badger.Txn) error {
		s.replayIDs(txn, s.writer.indexing.indexed)
		return nil
	})
}

type repairing struct {
	s      *Store
	synced uint64
	since  uint64 // what is numbered from here on is in no derived record
	torn   map[uint64]bool
	logs   map[uint32]bool  // whose records have to be made anew
	more   map[uint32]int64 // by how many events the time records of a log have more than its own
}

// lost reports that the payload that begins with an arrival number is not there.
func (r *repairing) lost(txn *badger.Txn, arrival uint64) (bool, error) {
	if arrival < r.synced || r.torn[arrival] {
		return r.torn[arrival], nil
	}
	_, err := txn.Get(appendPayloadKey(nil, arrival))
	if err == badger.ErrKeyNotFound {
		return true, nil
	}
	return false, err
}

// removeLost deletes payloads that cannot be read and all time and index
// records of payloads that are not there.
func (r *repairing) removeLost() error {
	var keys [][]byte
	for arrival := range r.torn {
		keys = append(keys, appendPayloadKey(nil, arrival))
	}
	err := r.s.db.View(func(txn *badger.Txn) error {
		err := scan(txn, []byte{spaceTime}, func(key, val []byte) error {
			if len(key) != timeKeyLen {
				return errValue
			}
			no, _, arrival := parseTimeKey(key)
			lost, err := r.lost(txn, arrival)
			if lost {
				keys = append(keys, bytes.Clone(key))
				r.logs[no] = true
			}
			if err != nil {
				return err
			}
			rec, err := decodeTimeRec(val)
			r.more[no] += int64(rec.counts.count())
			return err
		})
		if err != nil {
			return err
		}
		err = scan(txn, []byte{spaceIndex}, func(key, val []byte) error {
			rec, err := decodeIndexRec(val)
			if err != nil || rec.cut { // that one was erased once stays
				return err
			}
			lost, err := r.lost(txn, rec.payload())
			if lost {
				keys = append(keys, bytes.Clone(key))
			}
			return err
		})
		if err != nil {
			return err
		}
		err = scan(txn, []byte{spaceSplit}, func(key, _ []byte) error {
			if len(key) != 9 {
				return errValue
			}
			arrival := binary.BigEndian.Uint64(key[1:])
			lost, err := r.lost(txn, arrival)
			if lost {
				keys = append(keys, bytes.Clone(key))
				r.s.ids.unsplit(arrival)
			}
			return err
		})
		if err != nil {
			return err
		}
		return scan(txn, []byte{spaceExpiry}, func(key, _ []byte) error {
			if len(key) != expiryKeyLen {
				return errValue
			}
			id := event.ID(key[9:])
			rec, found, err := r.s.index(txn, &id)
			if err != nil {
				return err
			}
			lost, err := r.lost(txn, rec.payload())
			if lost || !found {
				keys = append(keys, bytes.Clone(key))
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	w := r.s.db.NewWriteBatch()
	defer w.Cancel()
	for _, key := range keys {
		if err := w.Delete(key); err != nil {
			return err
		}
	}
	return w.Flush()
}

// rewrite makes the records of a log what its payloads add up to.
func (r *repairing) rewrite(ctx context.Context, no uint32) error {
	w := r.s.db.NewWriteBatch()
	defer w.Cancel()
	err := r.s.db.View(func(txn *badger.Txn) error {
		_, err := r.s.tallyLog(ctx, txn, no, r.since, nil, func(key, want []byte, _, wanted bool) error {
			if !wanted {
				return w.Delete(key)
			}
			return w.Set(key, slices.Clone(want))
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("log %d: %w", no, err)
	}
	return w.Flush()
}
