package eventlog

import (
	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// Batch returns the stored payload that an event is in, decoded, false if the
// event is not stored. It is shared with other readers and must not be changed.
func (s *Store) Batch(id event.ID) (b *event.Batch, found bool, err error) {
	err = s.view(func(txn *badger.Txn) error {
		p, _, err := s.locate(txn, id)
		b, found = p.batch, p.batch != nil
		return err
	})
	return b, found, err
}
