package eventlog

import (
	"context"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// Control yields the events of a log whose kind is not message, in the order
// of (hlc, id): membership is read without reading the messages. The last pair
// has an error if reading failed or ctx ended.
func (s *Store) Control(ctx context.Context, log event.LogID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		no, _ := s.logs.number(log)
		if no == 0 {
			return
		}
		at := inLog(spaceControl, no)
		yieldPages(yield, func() (page []Entry, more bool, err error) {
			page, at, err = s.controlPage(ctx, no, at)
			return page, at != nil, err
		})
	}
}

// controlPage reads a portion that begins at a key, and says at which key to
// go on, nil at the end.
func (s *Store) controlPage(ctx context.Context, no uint32, at []byte) (out []Entry, next []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	err = s.view(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: inLog(spaceControl, no)})
		defer it.Close()
		f := forks{s: s, txn: txn}
		for it.Seek(at); it.Valid(); it.Next() {
			key := it.Item().KeyCopy(nil)
			if len(key) != controlKeyLen {
				return errValue
			}
			if len(out) == lastPage {
				next = key
				return nil
			}
			p, place, err := s.locate(txn, event.ID(key[controlKeyLen-32:]))
			if err == nil && p.batch == nil {
				err = errValue
			}
			if err != nil {
				return err
			}
			e, err := f.entry(&p, place)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	return out, next, err
}
