package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// maxQueue is how many records wait at most; further callers wait.
	maxQueue = 1024

	// checkpointEvery is how often a checkpoint is signed at most.
	checkpointEvery = time.Second

	// defaultSegment is how large a file of records becomes, more or less.
	defaultSegment = 64 << 20
)

// Config is what a log needs.
type Config struct {
	// Signer signs the checkpoints: see NewSigner. A log has one signer for ever.
	Signer note.Signer
	// SegmentSize is how large a file of records becomes before the next is
	// begun, in bytes; 0 is 64 MiB. A commit is never split.
	SegmentSize int64

	wrote func(name string, at int64, b []byte) // tests see what is written, before it is
}

// Log is an open audit log: the only one that writes to its directory.
type Log struct {
	dir    string
	config Config
	lock   *os.File
	hashes *hashFile
	queue  chan request
	done   chan struct{} // closed when the writer has ended

	sending sync.RWMutex // held for reading while something is put into the queue
	closed  bool

	mu   sync.Mutex
	size int64      // of what is on disk, hashes too
	last Checkpoint // the newest
	kept int        // records that wait for room on the disk
	err  error      // why nothing can be written any more

	cosigning sync.Mutex // of others' checkpoints, and of ours by others

	writer writer
}

// request is a record on its way; done is nil where nobody waits.
type request struct {
	record Record
	done   chan<- result
}

type result struct {
	index int64
	err   error
}

// Append writes a record and returns its index when it is on disk. It waits
// while the queue is full. If ctx ends first its error is returned, and the
// record may be written all the same. ErrRecord, ErrClosed, ErrFailed.
func (l *Log) Append(ctx context.Context, r Record) (int64, error) {
	done := make(chan result, 1)
	if err := l.send(ctx, r, done); err != nil {
		return 0, err
	}
	select {
	case res := <-done:
		return res.index, res.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Write is Append that does not wait for the disk: what it takes is written
// within milliseconds and in order, but a loss of power may take it along. It
// waits while the queue, 1,024 records, is full: nothing is dropped. While the disk
// is full what it took is kept, and written when there is room; ErrFailed if there
// are 1,024 already. When the disk fails for good, what was in the queue is lost and
// every later call tells so.
func (l *Log) Write(ctx context.Context, r Record) error {
	l.mu.Lock()
	crowded := l.kept >= maxQueue
	l.mu.Unlock()
	if crowded {
		return ErrFailed.Withf("the disk has had no room for %d records of the audit log", maxQueue)
	}
	return l.send(ctx, r, nil)
}

func (l *Log) send(ctx context.Context, r Record, done chan<- result) error {
	r.Index = 0
	r.clean()
	if err := r.check(); err != nil {
		return ErrRecord.With(err)
	}
	l.sending.RLock() // the writer goes on until Close has it: this ends
	defer l.sending.RUnlock()
	if l.closed {
		return ErrClosed
	}
	if err := l.failure(); err != nil {
		return err
	}
	select {
	case l.queue <- request{r, done}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Size returns how many records are on disk.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}

// Checkpoint returns the newest one; ok is false before the first record.
func (l *Log) Checkpoint() (c Checkpoint, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.last.Note != nil
}

// Consistency proves that the log of the first to records begins with that of
// the first from, for those who have seen a checkpoint of that size. From 0
// there is nothing to prove. ErrNoIndex if there are not so many.
func (l *Log) Consistency(from, to int64) (tlog.TreeProof, error) {
	if from < 0 || from > to || to > l.Size() {
		return nil, ErrNoIndex.Withf("the audit log has no %d and %d records", from, to)
	}
	if from == 0 {
		return nil, nil
	}
	proof, err := tlog.ProveTree(to, from, l.hashes)
	switch {
	case errors.Is(err, os.ErrClosed):
		return nil, ErrClosed
	case err != nil:
		return nil, ErrFailed.With(err)
	}
	return proof, nil
}

// Close writes what waits, signs a last checkpoint and lets go of the files. It
// can be called again.
func (l *Log) Close() error {
	l.sending.Lock()
	first := !l.closed
	if l.closed = true; first {
		close(l.queue)
	}
	l.sending.Unlock()
	<-l.done
	if !first {
		return nil
	}
	l.cosigning.Lock() // what is under way ends; what comes later is told ErrClosed
	defer l.cosigning.Unlock()
	err := errors.Join(l.writer.close(), l.hashes.f.Close(), l.lock.Close())
	if failed := l.failure(); failed != nil {
		return failed
	}
	if err != nil {
		return ErrFailed.With(err)
	}
	return nil
}

func (l *Log) isClosed() bool {
	l.sending.RLock()
	defer l.sending.RUnlock()
	return l.closed
}

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }
