// Package delivery replicates logs: what is sent becomes signed batches on the
// local disk and then gossip; what others gossip is verified, stored and
// forwarded; what was missed is found by reconciliation and fetched by id.
//
//	s, err := delivery.New(delivery.Config{…})
//	l, err := s.Join(log)
//	p, err := l.Submit(ctx, delivery.Draft{Kind: event.KindMessage, Payload: b})
//	id, err := p.Wait(ctx)         // safe on disk
//	l.Told(peer, heads)            // peer says that it has these
//	s.Leave(log); s.Close()
//
// Each joined log has its goroutines: the sender owns the author's chain, the
// taker brings verified batches into the store, the fetcher asks for what it was
// told of, the syncer compares the log with peers. Validators run on pubsub's own goroutines, touch no disk and
// never block. All methods may be called by any goroutine.
//
// Promises: an id is handed out after its event is durable; ids of one log are
// handed out in the order of Submit. A batch that was not published, or not
// received, is found by comparing the log with a peer's.
//
// spec: 04-delivery
// spec: 06-sync
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/reconcile"
	"github.com/parley-chat/parley/internal/wire"
)

// ErrStopped is returned for drafts of a log that is left or closed before
// they were stored.
var ErrStopped = errors.New("replication of the log has stopped")

// Store is what replication needs of the event store. *eventlog.Store is one.
type Store interface {
	AppendWith(ctx context.Context, b *event.Batch, durable bool, marks ...eventlog.Mark) (eventlog.Appended, error)
	AppendAll(ctx context.Context, batches []*event.Batch, durable bool) ([]eventlog.Appended, []error)
	Has(id event.ID) (bool, error)
	Batch(id event.ID) (b *event.Batch, found bool, err error) // the stored one that id is in
	Heads(log event.LogID) ([]event.ID, error)
	Last(log event.LogID, author event.Author) (seq uint64, id event.ID, err error) // the end of an author's chain
	Missing(log event.LogID) ([]event.ID, error)
	Complete(log event.LogID) (bool, error) // nothing is missing
	Range(log event.LogID) reconcile.Set    // what of it lies above the floor
	Floor(log event.LogID) (second uint64)
	Settle(ctx context.Context, log event.LogID, ids []event.ID) error // they are not missing any more
	Cut(b *event.Batch) (n int)                                        // how many of its events do not count, for their author is cut; no disk
	Refused(id event.ID) bool                                          // it was cut lately; no disk
	AnyCut() bool                                                      // anybody is cut; no disk
	Meta(key string) ([]byte, error)
	DeleteMetas(ctx context.Context, prefix string, drop func(m eventlog.Mark) bool) (n int, err error)
}

// Config is what a Service works with. Every field without "may" is needed.
type Config struct {
	Host   host.Host // shows admitted peers only
	PubSub *pubsub.PubSub
	Store  Store
	Clock  *event.Clock // the node's one clock
	Tag    string       // the network's tag in names of protocols and topics
	Author event.Author
	Sign   func([]byte) []byte
	// Stored is called for each batch that brought something new into the
	// store, own ones too; fresh[i] says whether event i was new. It is called
	// by several goroutines and must be quick. It may be nil.
	Stored func(b *event.Batch, fresh []bool)
	// Near reports whether a peer is close by: such are asked first, three times
	// of four. It may be nil: nobody is.
	Near       func(peer.ID) bool
	Now        func() time.Time      // the wall clock; may be nil: time.Now
	Logger     *slog.Logger          // may be nil: silent
	Registerer prometheus.Registerer // may be nil: no metrics
}

// Service replicates any number of logs. Make one with New.
type Service struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	budgets *budgets
	server  *server
	turns   *turns

	mu     sync.Mutex
	logs   map[event.LogID]*Log
	closed bool
}

// New returns a Service that serves what is asked for of the logs it joins.
func New(cfg Config) (*Service, error) {
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("delivery metrics: %w", err)
	}
	s := &Service{
		cfg: cfg, log: cfg.Logger, metrics: m, budgets: newBudgets(), turns: newTurns(),
		logs: make(map[event.LogID]*Log),
	}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	if s.cfg.Near == nil {
		s.cfg.Near = func(peer.ID) bool { return false }
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.server = newServer(s)
	cfg.Host.SetStreamHandler(wire.LogProtocol(cfg.Tag, wire.ForFetch), s.server.bareFetch)
	cfg.Host.SetStreamHandler(wire.LogProtocol(cfg.Tag, wire.ForSync), s.server.bareSync)
	cfg.Host.SetStreamHandler(wire.LogProtocol(cfg.Tag, wire.ForAcks), s.server.bareAcks)
	return s, nil
}

// Join begins to replicate a log. A joined log is returned again.
func (s *Service) Join(id event.LogID) (*Log, error) {
	l, _, err := s.join(id, func(l *Log) (Way, error) { return joinTopic(l) })
	if err != nil {
		return nil, fmt.Errorf("join log: %w", err)
	}
	return l, nil
}

// JoinWhere joins a log of which only those batches are taken for which may is
// true. Others are ignored and not refused: what may says depends on what this
// node knows. It is called by several goroutines and must be quick.
func (s *Service) JoinWhere(id event.LogID, may func(*event.Batch) bool) (*Log, error) {
	l, _, err := s.join(id, func(l *Log) (Way, error) {
		l.may = may
		return joinTopic(l)
	})
	if err != nil {
		return nil, fmt.Errorf("join log: %w", err)
	}
	return l, nil
}

// join returns a log that is replicated. If it was not, it is new, and setUp has
// the last word before it runs.
func (s *Service) join(id event.LogID, setUp func(*Log) (Way, error)) (l *Log, isNew bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, ErrStopped
	}
	if l := s.logs[id]; l != nil {
		return l, false, nil
	}
	l = newLog(s, id)
	if l.way, err = setUp(l); err != nil {
		l.cancel()
		return nil, false, err
	}
	l.run()
	s.logs[id] = l
	return l, true, nil
}

// Leave ends the replication of a log and waits; drafts that are not stored
// fail with ErrStopped. A log that is not joined is left already.
func (s *Service) Leave(id event.LogID) {
	s.mu.Lock()
	l := s.logs[id]
	delete(s.logs, id)
	s.mu.Unlock()
	if l != nil {
		l.leave()
	}
}

// Log returns a joined log, or nil.
func (s *Service) Log(id event.LogID) *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logs[id]
}

// Lost says that gossip may have been dropped below this package, in full
// queues of pubsub: each log is compared with a peer's.
func (s *Service) Lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		l.syncer.lost()
	}
}

// Close leaves all logs, ends serving and waits. It may be called more than
// once.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	logs := s.logs
	s.logs = make(map[event.LogID]*Log)
	s.mu.Unlock()
	for _, purpose := range []string{wire.ForFetch, wire.ForSync, wire.ForAcks} {
		s.cfg.Host.RemoveStreamHandler(wire.LogProtocol(s.cfg.Tag, purpose))
	}
	for _, l := range logs {
		l.leave()
	}
	s.server.close()
}

func (s *Service) stored(b *event.Batch, fresh []bool) {
	if s.cfg.Stored != nil {
		s.cfg.Stored(b, fresh)
	}
}
