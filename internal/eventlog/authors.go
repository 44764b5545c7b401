package eventlog

import (
	"bytes"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// Authors returns those who wrote the stored events of a log, ascending, at
// most the first most of them.
func (s *Store) Authors(log event.LogID, most int) ([]event.Author, error) {
	no, _ := s.logs.number(log)
	if no == 0 {
		return nil, nil
	}
	var out []event.Author
	err := s.view(func(txn *badger.Txn) error {
		newer := s.derived.authorsOf(no)
		it := txn.NewIterator(badger.IteratorOptions{Prefix: inLog(spaceAuthor, no)})
		defer it.Close()
		for it.Rewind(); it.Valid() && len(out) < most; it.Next() {
			key := it.Item().Key()
			if len(key) != idKeyLen {
				return errValue
			}
			if there, ok := newer[event.Author(key[5:])]; there || !ok {
				out = append(out, event.Author(key[5:]))
			}
		}
		for a, there := range newer {
			if there {
				out = append(out, a)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b event.Author) int { return bytes.Compare(a[:], b[:]) })
	out = slices.Compact(out)
	return out[:min(len(out), most)], err
}
