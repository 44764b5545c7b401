package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Options says where a store is and how much it may take.
type Options struct {
	Dir        string                // made with mode 0700 if it is not there
	Key        [32]byte              // encrypts everything in Dir but file names and sizes
	Light      bool                  // smaller buffers and reserves, for small machines
	Logger     *slog.Logger          // nil is silent
	Registerer prometheus.Registerer // nil: not measured
}

// Store is an open store. Make one with Open.
type Store struct {
	dir     string
	profile profile
	log     *slog.Logger
	metrics *metrics
	db      *badger.DB
	lock    *os.File
	free    func(dir string) (uint64, error)

	queue      chan *request
	asks       chan func()   // run by the writer between commits
	closing    chan struct{} // closed when Close begins: nothing is queued any more
	done       chan struct{} // closed when the writer has ended
	sending    sync.RWMutex  // held for reading while a request is queued
	reading    sync.RWMutex  // held for reading while badger is read; Close takes it
	closed     bool          // guarded by reading
	reclaiming sync.Mutex    // one at a time
	deleting   oneAtATime    // who deletes in portions: Retain, SetCuts
	once       sync.Once
	end        error // result of Close

	pages   pages
	logs    logs
	derived derived
	recent  recent
	ids     idIndex
	busy    busySeconds
	cuts    atomic.Pointer[cutSet] // nil: there are none; the writer alone changes it
	refused refusals
	newest  atomic.Uint64 // highest committed arrival
	decoded atomic.Uint64 // events of payloads that were read from disk
	writer  writer
	changed changed
}

// Open opens the store in o.Dir and makes it if there is none. ctx bounds the
// opening alone. Errors carry a code: ErrLocked, ErrWrongKey, ErrCorrupt,
// ErrReadOnly, ErrDiskFull, ErrSchema.
func Open(ctx context.Context, o Options) (*Store, error) {
	return openWith(ctx, o, profileFor(o.Light))
}

func openWith(ctx context.Context, o Options, p profile) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		dir:     o.Dir,
		profile: p,
		busy:    busySeconds{limit: busyMost},
		log:     o.Logger,
		free:    new(freeDisk).look,
		asks:    make(chan func()),
		closing: make(chan struct{}),
		done:    make(chan struct{}),

		deleting: make(oneAtATime, 1),

		pages: pages{due: make(chan struct{}, 1)},
	}
	s.derived.init()
	s.queue = make(chan *request, s.profile.queue)
	if err := guard(func() error { return s.open(ctx, o.Key) }); err != nil {
		s.release()
		return nil, openFault(err)
	}
	if err := s.measure(o.Registerer); err != nil {
		s.release()
		return nil, fmt.Errorf("eventlog: metrics: %w", err)
	}
	go s.run() // ends when Close closes the queue; Close waits for done
	if err := s.endSweep(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, key [32]byte) error {
	if err := finishSwap(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	lock, err := lockFile(s.lockPath())
	if err != nil {
		return err
	}
	s.lock = lock
	if err := s.spaceToOpen(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := dropEmptyLogs(s.dir); err != nil {
		return err
	}
	if s.db, err = openBadger(s.dir, key, s.profile, s.log); err != nil {
		return err
	}
	if s.pages.dir, err = realPath(s.dir); err != nil {
		return err
	}
	if err := s.checkSchema(); err != nil {
		return err
	}
	if err := s.logs.load(s.db); err != nil {
		return err
	}
	if err := s.loadCuts(); err != nil {
		return err
	}
	if err := s.beginArrivals(ctx); err != nil {
		return err
	}
	return s.migrate(ctx)
}

// Close commits what was queued, syncs, and closes the files. Iterators that
// are under way end with ErrClosed. It may be called more than once and by
// several goroutines: all wait and get the same result. ErrDiskFull: the disk is so
// full that the files cannot be put in order. What was acknowledged is on it; they
// stay open until the process ends, and the next opening does it.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		s.sending.Lock() // waits for those that are queueing; they see closing
		close(s.queue)
		s.sending.Unlock()
		<-s.done
		s.reading.Lock()
		s.closed = true
		s.reading.Unlock()
		s.changed.tell()
		s.end = s.release()
	})
	return s.end
}

// closeTime is how long Close waits for badger, which tries for ever to write
// to a directory that was taken away.
const closeTime = 30 * time.Second

// release closes what open opened.
func (s *Store) release() (err error) {
	if s.metrics != nil {
		s.metrics.unregister()
	}
	if s.db != nil {
		err = s.closeBadger()
	}
	if s.lock != nil && !errors.Is(err, errStuck) { // what still writes keeps its lock
		s.lock.Close()
	}
	return err
}

var errStuck = errors.New("the files cannot be closed")

func (s *Store) closeBadger() error {
	if err := s.spaceToClose(); err != nil {
		return err
	}
	closed := make(chan error, 1)
	go func() { closed <- s.db.Close() }() // left alone only when it is stuck
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case err := <-closed:
		if err != nil {
			return ErrFailed.With(err)
		}
		return nil
	case <-timer.C:
		return ErrFailed.With(errStuck)
	}
}

// LastArrival returns the highest arrival number of a committed event, 0 if
// there is none: the cursor from which Since yields what comes from now on.
func (s *Store) LastArrival() uint64 { return s.newest.Load() }

// Changed returns a channel that is closed at the next commit and by Close. To
// follow the store take the channel first, then read Since, then wait.
func (s *Store) Changed() <-chan struct{} { return s.changed.wait() }

// Stats is what a store holds.
type Stats struct {
	Events uint64 // in all logs
	Logs   int
	Bytes  int64 // on disk, as of at most a minute ago
	Queued int   // requests that wait for the writer
}

// Stats returns what the store holds.
func (s *Store) Stats() Stats {
	st := Stats{Queued: len(s.queue)}
	st.Events, st.Logs = s.logs.totals()
	if s.enter() == nil {
		lsm, vlog := s.db.Size()
		st.Bytes = lsm + vlog
		s.reading.RUnlock()
	}
	return st
}

// enter keeps badger open until the caller unlocks s.reading.
func (s *Store) enter() error {
	s.reading.RLock()
	if s.closed {
		s.reading.RUnlock()
		return ErrClosed
	}
	return nil
}

// syncDelay is the longest time for which a commit that was not asked to be
// durable is left to the operating system.
const syncDelay = 200 * time.Millisecond

// changed wakes all who wait for the next commit.
type changed struct {
	mu sync.Mutex
	ch chan struct{}
}

func (c *changed) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil {
		c.ch = make(chan struct{})
	}
	return c.ch
}

func (c *changed) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
		c.ch = nil
	}
}
