package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// After a kill nothing is torn: what was committed lies in the operating
// system's cache. After a loss of power it may be: of what was not synced,
// badger's files may have kept the later part and lost the earlier, or a key
// and not its value. Then payloads are missing in the row of arrival numbers or
// cannot be read, and the records of their logs count what is not there.

// repair looks through the payloads numbered from synced on. If one is
// missing, what points to it is taken out and the records of the logs that were
// written to are made anew.
func (s *Store) repair(ctx context.Context, synced uint64) error {
	torn := make(map[uint64]bool) // payloads that cannot be read
	whole := true
	logs := make(map[uint32]bool)
	err := s.db.View(func(txn *badger.Txn) error {
		next := synced
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spacePayload}})
		defer it.Close()
		for it.Seek(appendPayloadKey(nil, synced)); it.Valid() && ctx.Err() == nil; it.Next() {
			arrival := binary.BigEndian.Uint64(it.Item().Key()[1:])
			p, err := s.payload(txn, arrival)
			if err != nil {
				s.log.Warn("store: a payload was lost", "arrival", arrival, "err", err)
				torn[arrival] = true
				continue
			}
			whole = whole && arrival == next
			next = p.last() + 1
			no, _ := s.logs.number(p.batch.Log())
			logs[no] = true
		}
		return ctx.Err()
	})
	if err != nil || whole && len(torn) == 0 {
		return err
	}
	s.log.Warn("store: repairing what an unclean end has torn", "from", synced, "lost", len(torn))
	r := &repairing{s: s, synced: synced, torn: torn, logs: logs}
	if err := r.removeLost(); err != nil {
		return err
	}
	for no := range r.logs {
		if err := r.rewrite(ctx, no); err != nil {
			return err
		}
	}
	return s.logs.load(s.db)
}

type repairing struct {
	s      *Store
	synced uint64
	torn   map[uint64]bool
	logs   map[uint32]bool // whose records have to be made anew
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
		err := scan(txn, []byte{spaceTime}, func(key, _ []byte) error {
			if len(key) != timeKeyLen {
				return errValue
			}
			no, _, arrival := parseTimeKey(key)
			lost, err := r.lost(txn, arrival)
			if lost {
				keys = append(keys, bytes.Clone(key))
				r.logs[no] = true
			}
			return err
		})
		if err != nil {
			return err
		}
		gone := make(map[event.ID]bool)
		err = scan(txn, []byte{spaceIndex}, func(key, val []byte) error {
			rec, err := decodeIndexRec(val)
			if err != nil {
				return err
			}
			lost, err := r.lost(txn, rec.payload())
			if lost {
				keys = append(keys, bytes.Clone(key))
				gone[event.ID(key[1:])] = true
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
			if gone[event.ID(key[9:])] {
				keys = append(keys, bytes.Clone(key))
			}
			return nil
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
		_, err := r.s.tallyLog(ctx, txn, no, nil, func(key, want []byte, _, wanted bool) error {
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
