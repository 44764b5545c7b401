package audit

import (
	"errors"
	"io/fs"
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
	kept   []request // that nobody waits for, and the disk had no room for
	lines  []byte
	hashes []tlog.Hash
	raw    []byte // the hashes of the last records, which are not in their file yet
	short  bool   // the disk had no room for a checkpoint
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
				l.end()
				return
			}
			_ = l.commit(l.gather(r)) // who waits is told
		case <-timer.C:
			due = true
			if l.behind() {
				_ = l.commit(nil)
			}
		}
		if due && (l.checkpoint() || l.behind()) {
			timer.Reset(checkpointEvery)
			due = false
		}
	}
}

// behind reports whether something waits for room on the disk.
func (l *Log) behind() bool {
	w := &l.writer
	return l.failure() == nil && (len(w.kept) > 0 || len(w.raw) > 0 || w.short)
}

// end writes what is left. What the disk has no room for even now is lost, and told.
func (l *Log) end() {
	if err := l.commit(nil); err != nil && len(l.writer.kept) > 0 {
		_ = l.fail(err)
	}
	l.checkpoint()
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

// commit writes what was kept and a group of records, syncs once and tells the
// callers. What nobody waits for is kept until there is room.
func (l *Log) commit(group []request) error {
	w := &l.writer
	all := append(w.kept, group...)
	clear(group)
	err := l.failure()
	begin := w.edge.size
	if err == nil {
		err = l.write(all)
	}
	w.kept = all[:0]
	for i, r := range all {
		switch {
		case r.done != nil && err != nil:
			r.done <- result{0, err}
		case r.done != nil:
			r.done <- result{begin + int64(i), nil}
		case err != nil:
			w.kept = append(w.kept, r)
		}
	}
	clear(all[len(w.kept):])
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = len(w.kept)
	return err
}

// write puts a group on disk. An error that is not remembered in l.err left the
// log as it was.
func (l *Log) write(group []request) error {
	w := &l.writer
	if err := l.putHashes(); err != nil || len(group) == 0 {
		return err
	}
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
			return err
		}
	}
	if err := l.put(w.segment, segmentName(w.first), w.at, w.lines); err != nil {
		return err
	}
	if err := w.segment.Sync(); err != nil {
		return l.fail(err) // what is on disk now nobody knows
	}
	w.raw = appendHashes(w.raw, w.hashes)
	w.at += int64(len(w.lines))
	w.edge = edge
	_ = l.putHashes() // these records are on disk; their hashes are tried again, or written at the next opening
	return nil
}

// putHashes writes the hashes that are not in their file yet. They follow from the
// records, so they are not synced.
func (l *Log) putHashes() error {
	w := &l.writer
	if len(w.raw) == 0 {
		return nil
	}
	if err := l.put(l.hashes.f, hashesName, hashBytes(w.edge.size)-int64(len(w.raw)), w.raw); err != nil {
		return err
	}
	w.raw = w.raw[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.size = w.edge.size
	return nil
}

// rotate begins the next file of records. The hashes of those before are synced,
// so that opening has to look at the last file alone.
func (l *Log) rotate() error {
	w := &l.writer
	if err := errors.Join(l.hashes.f.Sync(), w.checkpoints.Sync()); err != nil {
		return l.fail(err)
	}
	name := segmentName(w.edge.size)
	f, err := l.create(name)
	if err != nil {
		if undone := os.Remove(l.path(name)); undone != nil && !errors.Is(undone, fs.ErrNotExist) {
			return l.fail(err)
		}
		return ErrFailed.With(err)
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

// put writes at the end of a file. After an error nothing is behind the end: a full
// disk may have room again. Where that is not sure the error is remembered.
func (l *Log) put(f *os.File, name string, at int64, b []byte) error {
	if l.config.wrote != nil {
		l.config.wrote(name, at, b)
	}
	_, err := f.WriteAt(b, at)
	if err == nil {
		return nil
	}
	if undone := f.Truncate(at); undone != nil {
		return l.fail(err)
	}
	return ErrFailed.With(err)
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
	if err != nil {
		_ = l.fail(err) // told to whoever comes next
		return false
	}
	line := noteLine(c.Note)
	err = l.put(w.checkpoints, checkpointsName, w.noted, line)
	if w.short = err != nil; w.short {
		return false
	}
	w.noted += int64(len(line))
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
		l.err = coded(err)
	}
	return l.err
}
