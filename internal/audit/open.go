package audit

import (
	"errors"
	"os"

	"github.com/parley-chat/parley/internal/fault"
)

// Open opens the log in dir, which is the log's own directory, or begins one.
// It compares the last file of records with the hashes and the whole with the
// newest checkpoint. ErrLocked, ErrOwner, ErrFailed; what was changed, as far as
// it is seen here, is told as by Verify, and nothing is written then.
func Open(dir string, c Config) (*Log, error) {
	if c.SegmentSize <= 0 {
		c.SegmentSize = defaultSegment
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ErrFailed.With(err)
	}
	l := &Log{dir: dir, config: c, queue: make(chan request, maxQueue), done: make(chan struct{})}
	var err error
	if l.lock, err = lockFile(l.path(lockName)); err != nil {
		return nil, coded(err)
	}
	if err := l.recover(); err != nil {
		l.release()
		return nil, coded(err)
	}
	go l.run() // ends in Close, which waits for it
	return l, nil
}

// coded gives an error of the disk its code.
func coded(err error) error {
	if _, ok := fault.As(err); ok {
		return err
	}
	return ErrFailed.With(err)
}

// release closes whatever is open.
func (l *Log) release() {
	files := []*os.File{l.lock, l.writer.segment, l.writer.checkpoints}
	if l.hashes != nil {
		files = append(files, l.hashes.f)
	}
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// recover finds out where the log ends and makes its files agree.
func (l *Log) recover() error {
	if err := l.recoverNotes(); err != nil {
		return err
	}
	firsts, err := listSegments(l.dir)
	if errors.Is(err, ErrNoLog) {
		firsts, err = []int64{0}, nil
	}
	if err != nil {
		return err
	}
	if l.hashes, err = openHashes(l.dir, os.O_RDWR|os.O_CREATE); err != nil {
		return err
	}
	w := &l.writer
	w.first = firsts[len(firsts)-1]
	if w.segment, err = l.create(segmentName(w.first)); err != nil {
		return err
	}
	if err := l.recoverRecords(firsts); err != nil {
		return err
	}
	return l.hashes.f.Truncate(hashBytes(w.edge.size))
}

// recoverNotes cuts what is torn off the files of notes and reads the newest
// checkpoint.
func (l *Log) recoverNotes() error {
	var err error
	w := &l.writer
	if w.checkpoints, w.noted, err = l.cutNotes(checkpointsName); err != nil {
		return err
	}
	cosigned, _, err := l.cutNotes(cosignedName)
	if err != nil {
		return err
	}
	if err := cosigned.Close(); err != nil {
		return err
	}
	if l.last, err = lastNote(l.dir, checkpointsName); err != nil {
		return err
	}
	if l.last.Note != nil && logName(l.last.Tag, l.last.Origin) != l.config.Signer.Name() {
		return ErrOwner.Withf("the audit log in %s is that of %s", l.dir, l.last.Origin)
	}
	return nil
}

// cutNotes opens a file of notes and cuts off what is no line of one: notes are
// not synced one by one, and a loss of power leaves parts.
func (l *Log) cutNotes(name string) (f *os.File, end int64, err error) {
	if f, err = os.OpenFile(l.path(name), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, 0, err
	}
	for {
		var line []byte
		if line, end, err = lastLine(f, maxNoteLine); err != nil {
			break
		}
		_, bad := parseNoteLine(line)
		if line != nil && bad != nil {
			end -= int64(len(line)) + 1
		}
		if err = f.Truncate(end); err != nil || line == nil && end == 0 || line != nil && bad == nil {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, end, nil
}

// recoverRecords reads the last file of records, or all of them if what is
// known of those before does not fit.
func (l *Log) recoverRecords(firsts []int64) error {
	if firsts[0] != 0 {
		return missing(0, firsts[0]-1, "")
	}
	w := &l.writer
	have, err := l.hashes.records(w.first)
	if err != nil {
		return err
	}
	if have == w.first {
		if w.edge, err = readFrontier(w.first, l.hashes); err != nil {
			return err
		}
		if err := l.readRecords(); err != nil {
			return err
		}
		if fits, err := l.fitsCheckpoint(); fits || err != nil {
			return err
		}
	}
	w.edge = frontier{}
	if err := l.readRecords(); err != nil {
		return err
	}
	if fits, err := l.fitsCheckpoint(); fits || err != nil {
		return err
	}
	return ErrChanged.Withf("one of the first %d records of the audit log is not what was signed", l.last.Size).
		WithDo("parley audit verify says which; " + ErrChanged.Do)
}

// readRecords reads the records from the end of the edge on, which is where a
// file begins, takes their hashes in, and cuts off a torn end.
func (l *Log) readRecords() error {
	w := &l.writer
	r, err := NewReader(l.dir, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.open(w.edge.size); err != nil {
		return err
	}
	if err := l.takeRecords(r); err != nil {
		return err
	}
	if r.first != w.first {
		return ErrMissing.Withf("%s is not where the records before it end", segmentName(w.first))
	}
	w.at = r.lines.at
	if err := w.segment.Truncate(w.at); err != nil {
		return err
	}
	l.size = w.edge.size
	return nil
}

// fitsCheckpoint reports whether the tree has the root that was signed last.
func (l *Log) fitsCheckpoint() (bool, error) {
	if l.last.Size > l.size {
		return false, missing(l.size, l.last.Size-1, ": a checkpoint of "+count(l.last.Size)+" was signed")
	}
	if l.last.Note == nil {
		return true, nil
	}
	edge, err := readFrontier(l.last.Size, l.hashes)
	if err != nil {
		return false, err
	}
	root, err := edge.root()
	return root == l.last.Root, err
}

// ParseAt reads a line that should be record n. ErrChanged, ErrMissing, ErrOrder.
func ParseAt(line []byte, n int64) (Record, error) {
	r, err := ParseRecord(line)
	switch {
	case err != nil:
		return r, ErrChanged.Withf("record %d of the audit log was changed: %v", n, err)
	case r.Index > n:
		return r, missing(n, r.Index-1, "")
	case r.Index < n:
		return r, ErrOrder.Withf("record %d of the audit log stands where %d should: it was moved or put in", r.Index, n)
	}
	return r, nil
}
