package eventlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// Appended is what became of a batch.
type Appended struct {
	Arrival uint64     // number of event 0; event i has Arrival+i. 0 if nothing was new
	New     []bool     // for each event: it was not stored before, or only without its content
	Forks   []int      // new events whose author, log and seq an event stored before them has too
	Missing []event.ID // parents of new events that are not stored, but for those that nobody has to look for
	Below   []int      // events of a second below the log's floor: none of them is new
	Cut     []int      // events that do not count, for their author is cut: none of them is new
}

// request is what the writer is asked for: a batch, values of the application,
// or some other change.
type request struct {
	batch   *event.Batch
	whole   bool                 // with an error if an event of the batch is cut
	marks   []Mark               // of the application; a nil Val deletes
	apply   func(g *group) error // changes something else
	keys    int                  // that apply touches at most
	durable bool

	done chan struct{} // closed when res and err are there
	res  Appended
	err  error
}

// Append stores the events of a batch that are new. The caller has verified
// it and must not change it afterwards. It waits while too many others wait,
// until ctx ends; once it is the writer's turn, for the writer: when Append
// returns without error the events are committed, and, if durable, synced, and
// after an error of ctx nothing is stored.
//
// Errors: ErrDiskFull, ErrScattered (of this batch), ErrFailed, ErrClosed.
func (s *Store) Append(ctx context.Context, b *event.Batch, durable bool) (Appended, error) {
	return s.enqueue(ctx, &request{batch: b, durable: durable}).wait()
}

// AppendWith is Append that stores values of the application in the same
// commit: all of it is there after a kill or none of it. They are stored also
// if nothing of the batch is new, but not if there is an error. It is for what this
// node writes: if an event of it is cut nothing is stored, and the error is ErrCut.
func (s *Store) AppendWith(ctx context.Context, b *event.Batch, durable bool, marks ...Mark) (Appended, error) {
	if err := checkMarks(marks); err != nil {
		return Appended{}, err
	}
	r := s.enqueue(ctx, &request{batch: b, whole: true, marks: marks, durable: durable})
	return r.wait()
}

// AppendAll is Append of several batches, which share commits. Both results
// have one value for each of them.
func (s *Store) AppendAll(ctx context.Context, batches []*event.Batch, durable bool) ([]Appended, []error) {
	reqs := make([]*request, len(batches))
	for i, b := range batches {
		reqs[i] = s.enqueue(ctx, &request{batch: b, durable: durable})
	}
	res, errs := make([]Appended, len(batches)), make([]error, len(batches))
	for i, r := range reqs {
		res[i], errs[i] = r.wait()
	}
	return res, errs
}

// enqueue hands a request to the writer, or answers it itself.
func (s *Store) enqueue(ctx context.Context, r *request) *request {
	r.done = make(chan struct{})
	s.sending.RLock()
	defer s.sending.RUnlock()
	select {
	case <-s.closing: // first: the queue may be closed already
		r.answer(ErrClosed)
		return r
	default:
	}
	if err := ctx.Err(); err != nil {
		r.answer(err)
		return r
	}
	select {
	case s.queue <- r:
	case <-s.closing:
		r.answer(ErrClosed)
	case <-ctx.Done():
		r.answer(ctx.Err())
	}
	return r
}

// answer ends a request; an error that it has already stays.
func (r *request) answer(err error) {
	if r.err == nil {
		r.err = err
	}
	if r.err != nil {
		r.res = Appended{}
	}
	close(r.done)
}

// wait returns what a request was answered. It waits for the writer whatever
// the caller's context says: who is told that something failed must not find it
// stored.
func (r *request) wait() (Appended, error) {
	<-r.done
	return r.res, r.err
}

// maxGroupKeys bounds the keys of one commit, as countKeys counts them. badger
// takes at most 15 % of a memtable in one transaction: 7,000 keys in a light
// store. One batch more may go over the bound, by at most 2,830.
const maxGroupKeys = 3072

// writer is what the writing goroutine owns.
type writer struct {
	next   uint64 // arrival number that comes next
	leased uint64 // numbers below this may be given
	synced uint64 // numbers below this are on disk
	noted  uint64 // synced, as the store itself knows it
	dirty  bool   // something was committed since the last sync
	failed error  // set by the first failed write: no more are tried
	memLog int    // number of badger's newest memtable log
	vlog   int    // the same of its value log
	slab   slab

	pending  pending
	indexing indexing
}

// run is the writing goroutine.
func (s *Store) run() {
	defer close(s.done)
	timer := time.NewTimer(syncDelay)
	timer.Stop()
	var armed time.Duration // what the timer runs for, 0: it does not
	for {
		select {
		case r, ok := <-s.queue:
			if !ok {
				s.endArrivals()
				return
			}
			s.commitAll(s.gather(r))
		case ask := <-s.asks:
			ask()
		case <-timer.C:
			armed = 0
			s.syncLate()
		case <-s.pages.due:
		}
		s.shed()
		switch {
		case s.writer.dirty && armed != syncDelay: // also while it runs for the next checkpoint
			armed = syncDelay
			timer.Reset(armed)
		case armed == 0 && s.waiting() > 0:
			armed = checkpointDelay
			timer.Reset(armed)
		}
	}
}

// ask has the writer run something between commits, and waits for it.
func (s *Store) ask(ctx context.Context, fn func() error) error {
	out := make(chan error, 1)
	select {
	case s.asks <- func() { out <- fn() }:
		return <-out
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitAll commits what was gathered; a change that is no batch, by itself.
func (s *Store) commitAll(reqs []*request) {
	n := len(reqs) - 1
	if reqs[n].apply != nil && n > 0 {
		s.commit(reqs[:n])
		reqs = reqs[n:]
	}
	s.commit(reqs)
}

// gather takes the requests that wait, as many as one commit may have. A change
// that is no batch is the last.
func (s *Store) gather(first *request) []*request {
	reqs := []*request{first}
	keys, bytes := first.size()
	for last := first; last.apply == nil && keys < maxGroupKeys && bytes < s.profile.group; {
		select {
		case r, ok := <-s.queue:
			if !ok {
				return reqs
			}
			reqs, last = append(reqs, r), r
			k, b := r.size()
			keys, bytes = keys+k, bytes+b
		default:
			return reqs
		}
	}
	return reqs
}

// size returns the most keys that a request may touch, and its bytes.
func (r *request) size() (keys, bytes int) {
	keys = r.keys + len(r.marks)
	for i := range r.marks {
		bytes += len(r.marks[i].Key) + len(r.marks[i].Val)
	}
	if r.batch == nil {
		return keys, bytes
	}
	events := r.batch.Events
	seconds := int(events[len(events)-1].HLC.Second() - events[0].HLC.Second())
	keys += 6 + levels + min(seconds, len(events)) + 2*(levels-1) // payload, time, author, windows twice, log, sums
	for i := range events {
		keys += 4 + len(events[i].Parents)
	}
	return keys, bytes + len(r.batch.Payload())
}

// commit writes a group of requests in one transaction and answers them.
func (s *Store) commit(reqs []*request) {
	start := time.Now()
	var g *group
	err := guard(func() (err error) {
		if g, err = s.prepare(reqs); err != nil {
			return err
		}
		return s.write(g)
	})
	if errors.Is(err, ErrCorrupt) {
		err = s.fail(err)
	}
	if err == nil {
		s.publish(g)
		s.metrics.committed(g, time.Since(start))
	}
	for _, r := range reqs {
		r.answer(err)
	}
}

// write commits a group and syncs if it has to.
func (s *Store) write(g *group) error {
	defer g.txn.Discard()
	if g.entries == 0 {
		if g.durable { // what was stored before has to be on disk too
			return s.sync()
		}
		return nil
	}
	s.ids.add(g.ids) // before: who sees an event must find it by its id
	if err := g.txn.Commit(); err != nil {
		return s.fail(err)
	}
	s.writer.dirty = true
	if g.durable {
		return s.sync()
	}
	return nil
}

// fail ends writing for good: what memory holds of the logs may differ from
// the disk now. Reading goes on.
func (s *Store) fail(err error) error {
	if s.writer.failed == nil {
		s.writer.failed = ErrFailed.With(err)
		s.log.Error("store: no more is written", "err", err)
	}
	return s.writer.failed
}

// publish makes a committed group visible to live readers.
func (s *Store) publish(g *group) {
	for i := range g.stored {
		s.recent.add(g.stored[i])
	}
	for i := range g.replaced {
		s.recent.replace(g.replaced[i])
	}
	for _, arrival := range g.dropped {
		s.recent.drop(arrival)
		s.ids.unsplit(arrival)
	}
	for _, old := range g.moved {
		s.recent.uncount(old.payload(), old.place)
	}
	s.publishIndex(g)
	s.derived.take(g) // before it is told that there is something
	if g.newest > 0 {
		s.newest.Store(g.newest)
		s.changed.tell()
	}
}

// syncLate syncs what was committed as not durable, after a checkpoint if the last was long ago.
func (s *Store) syncLate() {
	if s.writer.failed == nil {
		if time.Since(s.writer.pending.since) >= checkpointDelay {
			_ = s.checkpointNow() // on a full disk they wait on
		}
		_ = s.sync() // it is remembered and answers the next append
	}
}

// sync brings everything committed so far to disk.
func (s *Store) sync() error {
	if !s.writer.dirty {
		return nil
	}
	if err := s.syncFiles(); err != nil {
		return s.fail(err)
	}
	s.metrics.syncs.Inc()
	s.writer.dirty = false
	s.writer.synced = s.writer.next
	s.writer.indexing.synced()
	return nil
}

// syncFiles syncs badger's files. badger syncs the newest memtable log and
// value-log file; it syncs a value-log file when it begins another, but not a
// memtable log, so that is done here. Values go first: a loss of power in between would leave
// keys that point nowhere, also of payloads that lay elsewhere before (Erase).
func (s *Store) syncFiles() error {
	if err := s.syncValues(); err != nil {
		return err
	}
	if err := s.syncOldMemtables(); err != nil {
		return err
	}
	return s.db.Sync()
}

// syncValues syncs the newest value-log file.
func (s *Store) syncValues() error {
	for {
		if _, err := os.Stat(s.valuesPath(s.writer.vlog + 1)); err != nil {
			break
		}
		s.writer.vlog++
	}
	err := syncFile(s.valuesPath(s.writer.vlog))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

func (s *Store) valuesPath(n int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%06d.vlog", n))
}

// syncOldMemtables syncs the logs of memtables that were filled since the last
// sync. A log that is gone has become a table, which is synced before.
func (s *Store) syncOldMemtables() error {
	for {
		if _, err := os.Stat(s.memLogPath(s.writer.memLog + 1)); err != nil {
			return nil
		}
		if err := syncFile(s.memLogPath(s.writer.memLog)); err != nil && !os.IsNotExist(err) {
			return err
		}
		s.writer.memLog++
	}
}

func (s *Store) memLogPath(n int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%05d.mem", n))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
