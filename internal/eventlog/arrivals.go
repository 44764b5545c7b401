package eventlog

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// leaseSize is how many arrival numbers are leased at once. After an unclean
// end as many may be left out; there are 2^64.
const leaseSize = 1 << 20

// noteEvery is how many numbers may lie between what is synced and what the
// store itself knows as synced: as many are looked through after an unclean end.
const noteEvery = 1 << 14

// beginArrivals finds out where numbering goes on, leases the first range, and
// repairs what an unclean end may have torn.
func (s *Store) beginArrivals(ctx context.Context) (err error) {
	w := &s.writer
	// before the repair writes: all of that has to be synced
	if w.memLog, err = newestFile(s.dir, ".mem"); err != nil {
		return err
	}
	if w.vlog, err = newestFile(s.dir, ".vlog"); err != nil {
		return err
	}
	var rec arrivalRec
	err = s.db.View(func(txn *badger.Txn) error {
		val, err := get(txn, keyArrivals)
		if err != nil || val == nil {
			rec = arrivalRec{clean: true, next: 1, synced: 1}
			return err
		}
		rec, err = decodeArrivalRec(val)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.loadIDs(rec.next); err != nil {
		return err
	}
	if !rec.clean {
		if err := s.repair(ctx, rec.synced); err != nil {
			return err
		}
	}
	if err := s.findNewest(); err != nil {
		return err
	}
	w.next = rec.next
	w.leased = w.next + leaseSize
	w.synced, w.noted = w.next, w.next
	lease := arrivalRec{next: w.leased, synced: w.next}
	w.pending = pending{from: w.next}
	whole := derivedRec{next: w.next}
	runs := runsRec{s.ids.key, w.indexing.indexed, s.ids.runs}
	err = s.db.Update(func(txn *badger.Txn) error {
		if err := txn.Set(keyRuns, runs.appendTo(nil)); err != nil {
			return err
		}
		if err := txn.Set(keyDerived, whole.appendTo(nil)); err != nil {
			return err
		}
		return txn.Set(keyArrivals, lease.appendTo(nil))
	})
	if err != nil {
		return err
	}
	return s.syncFiles()
}

// takeArrivals gives n numbers.
func (g *group) takeArrivals(n int) uint64 {
	w := &g.s.writer
	first := w.next
	w.next += uint64(n)
	return first
}

// flushArrivals extends the lease long before it is used up and syncs that at
// once: readers see a commit before it is synced, and no number that they have
// seen may be given again after a loss of power. From time to time it notes what
// is synced.
func (g *group) flushArrivals() error {
	w := &g.s.writer
	extend := w.next+leaseSize/2 > w.leased
	if !extend && w.synced < w.noted+noteEvery {
		return nil
	}
	if extend {
		w.leased = w.next + leaseSize
		g.durable = true
	}
	w.noted = w.synced
	return g.setRecord(keyArrivals, &arrivalRec{next: w.leased, synced: w.noted})
}

// endArrivals notes a clean end: the last thing the writer does.
func (s *Store) endArrivals() {
	w := &s.writer
	if w.failed != nil {
		return
	}
	err := s.spaceToClose()
	if err == nil {
		err = s.flushWaiting()
	}
	if s.sync() != nil || err != nil {
		return
	}
	rec := arrivalRec{clean: true, next: w.next, synced: w.next}
	runs, err := s.closeIndex()
	if err == nil {
		err = s.db.Update(func(txn *badger.Txn) error {
			if runs != nil {
				if err := txn.Set(keyRuns, runs.appendTo(nil)); err != nil {
					return err
				}
			}
			return txn.Set(keyArrivals, rec.appendTo(nil))
		})
	}
	if err == nil {
		w.dirty = true
		err = s.sync()
	}
	if err != nil {
		s.log.Warn("store: closed without noting it", "err", err)
	}
}

// newestFile returns the highest number of badger's files of a kind.
func newestFile(dir, ext string) (int, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	newest := 0
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ext); ok {
			if n, err := strconv.Atoi(name); err == nil {
				newest = max(newest, n)
			}
		}
	}
	return newest, nil
}
