package eventlog

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// reclaimRatio is how much of a value-log file has to be of no use any more for
// it to be written anew.
const reclaimRatio = 0.3

// purgeRatio is less than a byte of the largest file.
const purgeRatio = 1e-12

// Reclaim gives the disk back what deleted and erased things took. It has the
// newest write buffers and tables merged, so that badger knows what is of no use any
// more: writers and readers wait meanwhile, some tenths of a second. Then it merges
// the other tables and writes the value-log files anew of which much is of no use;
// that takes seconds for a large store, beside everything else. The value-log file
// that is being written stays as it is. It is for quiet times.
//
// Errors: ErrDiskFull, for writing a file anew needs its size; ErrFailed, ErrClosed.
func (s *Store) Reclaim(ctx context.Context) error { return s.reclaim(ctx, reclaimRatio) }

// Purge is Reclaim that writes every value-log file anew that has anything of no
// use, however little: erased contents leave all of the files but the one that is being
// written.
func (s *Store) Purge(ctx context.Context) error { return s.reclaim(ctx, purgeRatio) }

func (s *Store) reclaim(ctx context.Context, ratio float64) error {
	s.reclaiming.Lock()
	defer s.reclaiming.Unlock()
	if err := s.enter(); err != nil {
		return err
	}
	defer s.reading.RUnlock()
	if err := s.spaceToReclaim(); err != nil {
		return err
	}
	if err := s.ask(ctx, s.mergeNewest); err != nil {
		return err
	}
	return readFault(guard(func() error { return s.collect(ctx, ratio) }))
}

// spaceToReclaim says whether a value-log file or the newest tables can be written
// anew without eating into what badger itself needs at any time.
func (s *Store) spaceToReclaim() error {
	return s.space(s.profile.reserve/2 + uint64(max(s.profile.vlogFile, 2*s.profile.memtable)))
}

// keyMerge is under a prefix of its own, which is dropped at once.
var keyMerge = []byte("z")

// mergeNewest writes the memtable out and merges the tables of level 0 into those
// below. badger has no call for that; dropping a prefix does it, and of what has the
// prefix there is one key. Commits meanwhile would fail: the writer runs this.
func (s *Store) mergeNewest() error {
	if s.writer.failed != nil {
		return s.writer.failed
	}
	err := guard(func() error {
		if err := s.setNow(keyMerge, []byte{}); err != nil {
			return err
		}
		return s.db.DropPrefix(keyMerge)
	})
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// collect merges tables and writes value-log files anew, as long as one is worth it.
func (s *Store) collect(ctx context.Context, ratio float64) error {
	if err := s.db.Flatten(1); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.spaceToReclaim(); err != nil {
			return err
		}
		err := s.rewriteValues(ctx, ratio)
		if errors.Is(err, badger.ErrNoRewrite) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// rewriteValues writes one value-log file anew. badger removes the old one without
// syncing what it has written; it waits with that for iterators, so one is
// open until everything is synced.
func (s *Store) rewriteValues(ctx context.Context, ratio float64) error {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: keyMerge})
	defer it.Close()
	if err := s.db.RunValueLogGC(ratio); err != nil {
		return err
	}
	return s.ask(ctx, func() error {
		s.writer.dirty = true
		return s.sync()
	})
}
