package eventlog

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// reclaimRatio is how much of a value-log file has to be of no use any more for
// it to be written anew.
const reclaimRatio = 0.3

// Reclaim gives the disk back what deleted and erased things took: it compacts
// the tables, so that badger knows what is of no use any more, and writes the
// value-log files anew that have much of it. It takes seconds for a large store and
// is for quiet times; others read and write meanwhile. What lies in the newest
// write buffer or in the value-log file that is being written stays until the next
// call after those have been left, at the latest after the next opening.
func (s *Store) Reclaim(ctx context.Context) error {
	s.reclaiming.Lock()
	defer s.reclaiming.Unlock()
	if err := s.enter(); err != nil {
		return err
	}
	defer s.reading.RUnlock()
	if err := s.spaceToWrite(int(s.profile.vlogFile)); err != nil {
		return err
	}
	return readFault(guard(func() error {
		if err := s.db.Flatten(1); err != nil {
			return err
		}
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.spaceToWrite(int(s.profile.vlogFile)); err != nil {
				return err
			}
			err := s.db.RunValueLogGC(reclaimRatio)
			if errors.Is(err, badger.ErrNoRewrite) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}))
}
