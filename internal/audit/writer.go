package audit

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/parley-chat/parley/internal/disk"
)

// writer is what the one goroutine that writes owns.
type writer struct {
	edge        frontier
	segment     *os.File
	first       int64 // index that it is named by
	at          int64 // its size
	checkpoints *os.File
	noted       int64 // size of that file

	group  []request
	lines  []byte
	hashes []tlog.Hash
	raw    []byte
}

func (w *writer) close() error {
	return errors.Join(w.checkpoints.Sync(), w.segment.Close(), w.checkpoints.Close())
}

// run writes until the queue is closed and empty. Close waits for it.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(checkpointEvery) // while it runs no checkpoint is due
	defer timer.Stop()
	due := !l.checkpoint() // what was written before a kill has none yet
	for {
		select {
		case r, ok := <-l.queue:
			if !ok {
				l.checkpoint()
				return
			}
			l.commit(l.gather(r))
		case <-timer.C:
			due = true
		}
		if due && l.checkpoint() {
			timer.Reset(checkpointEvery)
			due = false
		}
	}
}

// gather takes what waits besides.
func (l *Log) gather(r request) []request {
	group := append(l.writer.group[:0], r)
	for len(group) < maxQueue {
		select {
		case r, ok := <-l.queue:
			if !ok {
				return group
			}
			group = append(group, r)
			continue
		default:
		}
		break
	}
	l.writer.group = group
	return group
}

// commit writes a group of records, syncs once and tells the callers.
func (l *Log) commit(group []request) {
	err := l.failure()
	begin := l.writer.edge.size
	if err == nil {
		err = l.write(group)
	}
	for i, r := range group {
		switch {
		case r.done == nil && err != nil && l.failure() == nil:
			l.fail(err) // nobody waits for it: the next caller is told
		case r.done == nil:
		case err != nil:
			r.done <- result{0, err}
		default:
			r.done <- result{begin + int64(i), nil}
		}
		group[i] = request{}
	}
}

// write puts a group on disk. An error that is not remembered in l.err left the
// log as it was.
func (l *Log) write(group []request) error {
	w := &l.writer
	edge := frontier{w.edge.size, slices.Clone(w.edge.roots)}
	w.lines, w.hashes = w.lines[:0], w.hashes[:0]
	for i := range group {
		begin := len(w.lines)
		group[i].record.Index = edge.size
		w.lines = appendRecord(w.lines, &group[i].record)
		w.hashes = edge.add(tlog.RecordHash(w.lines[begin:]), w.hashes)
		w.lines = append(w.lines, '\n')
	}
	if w.at > 0 && w.at+int64(len(w.lines)) > l.config.SegmentSize {
		if err := l.rotate(); err != nil {
			return l.fail(err)
		}
	}
	if err := l.put(w.segment, segmentName(w.first), w.at, w.lines); err != nil {
		if undone := w.segment.Truncate(w.at); undone != nil {
			return l.fail(err)
		}
		return ErrFailed.With(err) // a full disk may have room again
	}
	if err := w.segment.Sync(); err != nil {
		return l.fail(err) // what is on disk now nobody knows
	}
	w.raw = appendHashes(w.raw[:0], w.hashes)
	err := l.put(l.hashes.f, hashesName, tlog.StoredHashCount(w.edge.size)*tlog.HashSize, w.raw)
	w.at += int64(len(w.lines))
	w.edge = edge
	if err != nil {
		_ = l.fail(err) // these records are on disk; their hashes are written at the next opening
		return nil
	}
	l.mu.Lock()
	l.size = edge.size
	l.mu.Unlock()
	return nil
}

// rotate begins the next file of records. The hashes of those before are synced,
// so that opening has to look at the last file alone.
func (l *Log) rotate() error {
	w := &l.writer
	if err := errors.Join(l.hashes.f.Sync(), w.checkpoints.Sync()); err != nil {
		return err
	}
	f, err := l.create(segmentName(w.edge.size))
	if err != nil {
		return err
	}
	w.segment.Close() // synced already
	w.segment, w.first, w.at = f, w.edge.size, 0
	return nil
}

// create makes a file, its name on disk when it returns.
func (l *Log) create(name string) (*os.File, error) {
	if l.config.wrote != nil {
		l.config.wrote(name, 0, nil)
	}
	f, err := os.OpenFile(l.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := disk.SyncDir(l.dir); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// put writes at the end of a file.
func (l *Log) put(f *os.File, name string, at int64, b []byte) error {
	if l.config.wrote != nil {
		l.config.wrote(name, at, b)
	}
	_, err := f.WriteAt(b, at)
	return err
}

// checkpoint signs what is on disk, if that is more than was signed. It returns
// whether it did.
//
// spec: 12-audit §4
func (l *Log) checkpoint() bool {
	w := &l.writer
	size := w.edge.size
	if last, _ := l.Checkpoint(); size == last.Size || size != l.Size() || l.failure() != nil {
		return false
	}
	c, err := l.signed(&w.edge)
	if err == nil {
		line := noteLine(c.Note)
		err = l.put(w.checkpoints, checkpointsName, w.noted, line)
		w.noted += int64(len(line))
	}
	if err != nil {
		_ = l.fail(err) // told to whoever comes next
		return false
	}
	l.mu.Lock()
	l.last = c
	l.mu.Unlock()
	return true
}

// signed signs a tree.
func (l *Log) signed(edge *frontier) (Checkpoint, error) {
	root, err := edge.root()
	if err != nil {
		return Checkpoint{}, err
	}
	msg, err := sign(l.config.Signer, edge.size, root)
	if err != nil {
		return Checkpoint{}, err
	}
	return ParseCheckpoint(msg) // a signer that signs wrongly is noticed here
}

// fail has every later call told why nothing is written any more.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = ErrFailed.With(err)
	}
	return l.err
}
