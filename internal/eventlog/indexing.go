package eventlog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// Runs are written by the writer along with what it commits, a block for some events,
// so that nobody waits for a whole one. A run is listed when it is synced, and of runs that were
// merged nothing is deleted before the list without them is: whatever a loss of power takes, the
// list that is left tells of runs that are whole. Events behind the newest run are read from
// their payloads again, and what no list tells of is deleted, when the store is opened.

const (
	runFanOut  = 8   // runs of about one size that are merged into one
	blocksEach = 256 // at most, written with one commit
)

// indexing is what the writer knows of the runs.
type indexing struct {
	indexed uint64 // events below are in runs that are listed
	next    uint32 // number of the next run
	credit  int    // blocks that may be written, twice
	flush   *runWriter
	merge   *runWriter
	listed  *runWriter // by the group that is being prepared
	merged  []*run     // replaced in a list that is not synced yet
	old     []*run     // the same in one that is: their blocks go
	oldAt   uint64     // block of the first that comes next
}

// runWriter is a run that is being written, from memory or from others.
type runWriter struct {
	*run
	entries []runEntry   // that are not written yet
	inputs  []*runReader // nil: all are in entries
	unit    uint32       // of the inputs that comes next: all entries with one prefix
	upTo    uint64       // when this is listed, events below are in runs
	written bool         // all blocks and the filter
	synced  bool
	count   uint64
}

// beginFlush starts to write what is in memory, if that is enough to be a run.
func (s *Store) beginFlush() {
	x := &s.writer.indexing
	if x.flush != nil || s.ids.waiting() < s.profile.runLen {
		return
	}
	x.flush = s.flushAll()
}

// flushAll makes a run of all that is in memory.
func (s *Store) flushAll() *runWriter {
	entries := s.ids.freeze()
	w := s.writer.indexing.newWriter(uint64(len(entries)), s.profile.filters)
	w.entries, w.upTo = entries, s.writer.next
	return w
}

func (x *indexing) newWriter(count uint64, filters int) *runWriter {
	w := &runWriter{run: newRun(x.next, count)}
	w.filter = newFilter(count, filters)
	x.next++
	return w
}

// beginMerge starts to merge runs if there are enough of about one size.
func (s *Store) beginMerge() {
	x := &s.writer.indexing
	if x.merge != nil || len(x.merged)+len(x.old) > 0 {
		return
	}
	runs := s.ids.runs // only the writer changes it
	if len(runs) < runFanOut {
		return
	}
	sizes := make(map[int][]*run)
	for _, r := range runs {
		size, top := 0, 4*uint64(s.profile.runLen)
		for ; r.count >= top; top *= runFanOut {
			size++
		}
		if sizes[size] = append(sizes[size], r); len(sizes[size]) == runFanOut {
			x.merge = x.newMerge(sizes[size], s.profile.filters)
			return
		}
	}
}

func (x *indexing) newMerge(runs []*run, filters int) *runWriter {
	count := uint64(0)
	for _, r := range runs {
		count += r.count
	}
	w := x.newWriter(count, filters)
	for _, r := range runs {
		w.inputs = append(w.inputs, &runReader{run: r})
	}
	return w
}

// synced notes that all that was written is on disk.
func (x *indexing) synced() {
	for _, w := range []*runWriter{x.flush, x.merge} {
		if w != nil && w.written {
			w.synced = true
		}
	}
	x.old, x.merged = append(x.old, x.merged...), nil
}

// flushIndex lists a run that is synced, and goes on with those that are being written.
func (g *group) flushIndex() error {
	x := &g.s.writer.indexing
	if g.events == 0 {
		return nil
	}
	x.credit = min(x.credit+g.events, 2*blocksEach)
	for _, w := range []*runWriter{x.flush, x.merge} {
		if w != nil && w.synced {
			x.listed = w
			rec := runsRec{g.s.ids.key, max(x.indexed, w.upTo), x.runsWith(g.s.ids.runs, w)}
			return g.setRecord(keyRuns, &rec)
		}
	}
	if w := x.flush; w != nil && w.written && g.s.ids.waiting() >= g.s.profile.runLen {
		g.durable = true // else as many would be read again after a kill as come until the next sync
	}
	for x.credit >= 2 {
		n, err := x.step(g)
		if err != nil || n == 0 {
			return err
		}
		x.credit -= 2 * n
	}
	return nil
}

// step writes or deletes some blocks, and says how many.
func (x *indexing) step(g *group) (n int, err error) {
	for _, w := range []*runWriter{x.flush, x.merge} {
		if w != nil && !w.written {
			return w.step(g)
		}
	}
	if len(x.old) == 0 {
		return 0, nil
	}
	r := x.old[0]
	block := uint32(x.oldAt)
	if x.oldAt == r.blocks() {
		block, x.old, x.oldAt = filterBlock, x.old[1:], 0
	} else {
		x.oldAt++
	}
	return 1, g.del(appendRunKey(nil, r.no, block))
}

// runsWith returns the list with what was written, and without what is in it.
func (x *indexing) runsWith(runs []*run, w *runWriter) []*run {
	out := make([]*run, 0, len(runs)+1)
	for _, r := range runs {
		if !slices.ContainsFunc(w.inputs, func(in *runReader) bool { return in.run.no == r.no }) {
			out = append(out, r)
		}
	}
	if w.count == 0 {
		return out
	}
	return append(out, &run{no: w.no, bits: w.bits, count: w.count, filter: w.filter})
}

// publishIndex makes what a group has listed the runs that are looked into.
func (s *Store) publishIndex(g *group) {
	x := &s.writer.indexing
	if w := x.listed; w != nil {
		s.ids.list(boundFilters(x.runsWith(s.ids.runs, w), s.profile.filters), w == x.flush)
		x.indexed, x.listed = max(x.indexed, w.upTo), nil
		if w == x.flush {
			x.flush = nil
		} else {
			x.merge = nil
		}
		for _, in := range w.inputs {
			x.merged = append(x.merged, in.run)
		}
	}
	s.beginFlush()
	s.beginMerge()
}

// boundFilters leaves out the filters of the largest runs if all take more than so many bytes:
// those are looked into each time.
func boundFilters(runs []*run, most int) []*run {
	slices.SortStableFunc(runs, func(a, b *run) int { return cmp.Compare(a.count, b.count) })
	for i, r := range runs {
		if most -= len(r.filter); most < 0 && r.filter != nil {
			bare := *r
			bare.filter = nil
			runs[i] = &bare
		}
	}
	return runs
}

// step writes the next blocks, and says how many.
func (w *runWriter) step(g *group) (n int, err error) {
	if w.inputs != nil {
		if err := w.read(g); err != nil {
			return 0, err
		}
	}
	for len(w.entries) > 0 {
		if err := w.writeBlock(g); err != nil {
			return n, err
		}
		if n++; w.inputs == nil {
			return n, nil
		}
	}
	if w.inputs != nil && w.unit>>w.inputBits() == 0 {
		return max(n, 1), nil
	}
	w.written = true
	if w.filter == nil {
		return n + 1, nil
	}
	return n + 1, g.set(appendRunKey(nil, w.no, filterBlock), w.filter)
}

func (w *runWriter) writeBlock(g *group) error {
	block, n := w.entries[0].id.prefix(w.bits), 0
	val := make([]byte, 0, 2*runBlock*runEntryLen)
	for n < len(w.entries) && w.entries[n].id.prefix(w.bits) == block {
		val = w.entries[n].appendTo(val)
		w.filter.add(w.entries[n].id)
		n++
	}
	w.entries = w.entries[n:]
	w.count += uint64(n)
	return g.set(appendRunKey(nil, w.no, block), val)
}

// inputBits is how many bits of their ids all entries have in common that are merged at once.
func (w *runWriter) inputBits() (bits uint8) {
	for _, in := range w.inputs {
		bits = max(bits, in.run.bits)
	}
	return bits
}

// read reads the entries of the next unit of the inputs but for those of deleted events.
func (w *runWriter) read(g *group) error {
	bits := w.inputBits()
	for _, in := range w.inputs {
		for {
			e, ok, err := in.peek(g.txn)
			if err != nil {
				return err
			}
			if !ok || e.id.prefix(bits) != w.unit {
				break
			}
			in.take()
			if keep, err := g.keepEntry(&e); err != nil {
				return err
			} else if keep {
				w.entries = append(w.entries, e)
			}
		}
	}
	w.unit++
	slices.SortFunc(w.entries, runEntry.compare)
	return nil
}

// keepEntry reports whether an entry is of an event that is stored.
func (g *group) keepEntry(e *runEntry) (bool, error) {
	if l := g.s.logs.byNo[e.log-1]; l != nil && !l.rec.thinned() {
		return true, nil
	}
	return g.s.ids.there(g.txn, e.spot)
}

// loadIDs reads the list of runs, deletes what it does not tell of, and reads what came after
// the newest. next is the arrival number that comes next; events of a store that has no list have
// records of their own.
func (s *Store) loadIDs(next uint64) error {
	x := &s.writer.indexing
	rec := runsRec{key: newIDKey(), indexed: next}
	var lost [][]byte
	err := s.db.View(func(txn *badger.Txn) error {
		list, found, err := getRecord(txn, keyRuns, decodeRunsRec)
		if err != nil {
			return err
		}
		if found {
			rec = list
		}
		if lost, x.next, err = unlistedRuns(txn, rec.runs); err != nil {
			return err
		}
		for _, r := range rec.runs {
			if r.filter, err = get(txn, appendRunKey(nil, r.no, filterBlock)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.ids.set(rec.key); err != nil {
		return err
	}
	x.indexed = rec.indexed
	s.ids.list(boundFilters(rec.runs, s.profile.filters), false)
	if err := s.deleteNow(lost); err != nil {
		return err
	}
	return s.db.View(func(txn *badger.Txn) error {
		s.replayIDs(txn, rec.indexed)
		return nil
	})
}

// unlistedRuns returns the keys of runs that no list tells of, and a number above those of all
// runs.
func unlistedRuns(txn *badger.Txn, listed []*run) (keys [][]byte, next uint32, err error) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceRuns}})
	defer it.Close()
	for it.Rewind(); it.Valid(); {
		key := it.Item().KeyCopy(nil)
		if len(key) != runKeyLen {
			return nil, 0, errValue
		}
		no := binary.BigEndian.Uint32(key[1:])
		next = no + 1
		if slices.ContainsFunc(listed, func(r *run) bool { return r.no == no }) {
			it.Seek(appendRunKey(nil, next, 0))
			continue
		}
		keys = append(keys, key)
		it.Next()
	}
	for _, r := range listed {
		next = max(next, r.no+1)
	}
	return keys, next, nil
}

func (s *Store) deleteNow(keys [][]byte) error {
	w := s.db.NewWriteBatch()
	defer w.Cancel()
	for _, key := range keys {
		if err := w.Delete(key); err != nil {
			return err
		}
	}
	return w.Flush()
}

// closeIndex writes what is in memory into a run, so that nothing has to be read again at the
// next opening, and returns the list to be noted; nil if that is not worth it.
func (s *Store) closeIndex() (*runsRec, error) {
	x := &s.writer.indexing
	if s.ids.waiting() < s.profile.runLen/16 && x.flush == nil {
		return nil, nil
	}
	w := s.flushAll()
	for !w.written {
		g := &group{s: s, txn: s.db.NewTransaction(true)}
		s.writer.slab.reset()
		var err error
		for n, all := 0, 0; err == nil && all < blocksEach && !w.written; all += n {
			n, err = w.step(g)
		}
		if err == nil {
			err = g.txn.Commit()
		}
		g.txn.Discard()
		if err != nil {
			return nil, errors.Join(err, errValue)
		}
	}
	s.writer.dirty = true
	return &runsRec{s.ids.key, w.upTo, x.runsWith(s.ids.runs, w)}, s.sync()
}
