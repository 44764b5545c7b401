package eventlog

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// Mark is a small value of the application under a key: at most 1 KiB of key and
// 64 KiB of value, and 256 KiB in one call. A nil Val deletes; one that is stored
// must not be changed any more.
type Mark struct {
	Key string
	Val []byte
}

const (
	maxMetaKey = 1 << 10
	maxMeta    = 64 << 10
	maxMarks   = 256 << 10
)

func checkMarks(marks []Mark) error {
	total := 0
	for i := range marks {
		key, val := len(marks[i].Key), len(marks[i].Val)
		if key > maxMetaKey || val > maxMeta {
			return fmt.Errorf("eventlog: a key of %d and a value of %d bytes are too large", key, val)
		}
		total += key + val
	}
	if total > maxMarks || len(marks) > maxGroupKeys/4 {
		return fmt.Errorf("eventlog: %d values of %d bytes are too many for one commit", len(marks), total)
	}
	return nil
}

// Meta returns a value of the application, nil if there is none.
func (s *Store) Meta(key string) (val []byte, err error) {
	err = s.view(func(txn *badger.Txn) error {
		val, err = get(txn, appKey(key))
		return err
	})
	return val, err
}

// SetMeta stores a value of the application, durably. A nil value deletes the key.
func (s *Store) SetMeta(key string, val []byte) error {
	return s.SetMetas(context.Background(), Mark{key, slices.Clone(val)})
}

// SetMetas stores values of the application in one commit, durably.
func (s *Store) SetMetas(ctx context.Context, marks ...Mark) error {
	if err := checkMarks(marks); err != nil {
		return err
	}
	_, err := s.enqueue(ctx, &request{marks: marks, durable: true}).wait()
	return err
}

// metaPage is how many values are read at once.
const metaPage = 256

// Metas yields the values of the application whose keys begin with a prefix,
// ascending. The last pair has an error if reading failed or ctx ended.
func (s *Store) Metas(ctx context.Context, prefix string) iter.Seq2[Mark, error] {
	return func(yield func(Mark, error) bool) {
		at := appKey(prefix)
		for {
			page, next, err := s.metaPage(ctx, prefix, at)
			for _, m := range page {
				if !yield(m, nil) {
					return
				}
			}
			if err != nil {
				yield(Mark{}, err)
			}
			if err != nil || next == nil {
				return
			}
			at = next
		}
	}
}

// metaPage reads a portion that begins at a key, and says where to go on, nil at
// the end.
func (s *Store) metaPage(ctx context.Context, prefix string, at []byte) (out []Mark, next []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	err = s.view(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: appKey(prefix)})
		defer it.Close()
		for it.Seek(at); it.Valid(); it.Next() {
			if len(out) == metaPage {
				next = it.Item().KeyCopy(nil)
				return nil
			}
			val, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			if val == nil {
				val = []byte{}
			}
			out = append(out, Mark{string(it.Item().Key()[1:]), val})
		}
		return nil
	})
	return out, next, err
}

// DeleteMetas deletes the values of the application whose keys begin with a
// prefix and which drop chooses, all if it is nil, and says how many. It goes by
// portions: others write in between, and what was done when it ends early stays.
func (s *Store) DeleteMetas(ctx context.Context, prefix string, drop func(m Mark) bool) (n int, err error) {
	at := appKey(prefix)
	for at != nil {
		var page, gone []Mark
		if page, at, err = s.metaPage(ctx, prefix, at); err != nil {
			return n, err
		}
		for _, m := range page {
			if drop == nil || drop(m) {
				gone = append(gone, Mark{Key: m.Key})
			}
		}
		if len(gone) == 0 {
			continue
		}
		if err := s.SetMetas(ctx, gone...); err != nil {
			return n, err
		}
		n += len(gone)
	}
	return n, nil
}
