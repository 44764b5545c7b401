// Package appsignal carries what applications tell each other in passing: who
// is typing, where a cursor is. A signal is signed by its author, named by a
// type of the application's own, and never stored: who is not listening when it
// comes never hears it.
//
//	s, err := appsignal.New(appsignal.Config{…})
//	stop, err := s.Listen(log)        // Config.Heard is called for signals of the log
//	err = s.Send(ctx, log, "typing", nil)
//	s.Leave(log); s.Close()
//
// Each log has a gossip topic of its own for them, which only those are in who
// listen: rooms whose members run no application that does cost nothing.
//
// There is no goroutine here; Config's functions are called by those of pubsub,
// several at a time, and must neither take long nor block. All methods may be
// called by any goroutine.
//
// spec: 10-signals
package appsignal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/budget"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Pace. spec: 10-signals §3
const (
	sendPerSecond = 20 // own signals
	sendAtOnce    = 40
	slack         = 2 // an author is heard at this many times the pace

	perSecond        = 2000 // signals of one forwarder, whatever they are
	atOnce           = 4000
	uselessPerSecond = 50 // of those, such as are of no use
	uselessAtOnce    = 1000
	rejectCost       = 10 // a rejected one counts as so many

	maxAuthors = 4096            // whose numbers are remembered, the last heard
	maxSkew    = 5 * time.Minute // between an author's clock and ours
)

// Errors of sending.
var (
	ErrOften  = errors.New("too many signals")
	ErrClosed = errors.New("signals are closed")
)

// Config is what a Service works with. Every field without "may" is needed.
type Config struct {
	PubSub  *pubsub.PubSub
	Tag     string
	Network [32]byte
	Author  event.Author
	Sign    func([]byte) []byte
	// FirstSeq is higher than any number this author gave a signal before.
	FirstSeq uint64
	// Counts reports whether an author is in a log as far as is known here.
	Counts func(event.LogID, event.Author) bool
	// Heard is called for each signal that counts. It may keep s.
	Heard      func(log event.LogID, s *Signal)
	Now        func() time.Time      // the wall clock
	Logger     *slog.Logger          // may be nil: silent
	Registerer prometheus.Registerer // may be nil: no metrics
}

// Service sends and hears signals. Make one with New.
type Service struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	own     *rate.Limiter

	all     *budget.Budgets[peer.ID]
	useless *budget.Budgets[peer.ID]
	authors *budget.Budgets[event.Author]

	sending chan struct{} // holds a token while a signal is published: they leave in their order
	seq     uint64        // of the last one; under the token

	mu     sync.Mutex // over the fields below; not held while a signal is published
	closed bool
	topics map[event.LogID]*topic

	numbers sync.Mutex // over what follows; nothing is waited for under it
	windows *lru.Cache[event.Author, *window]
}

// topic is the gossip of one log. It is in use from the first signal or
// listener on, and heard while there are listeners.
type topic struct {
	*pubsub.Topic
	listeners int
	unrelay   pubsub.RelayCancelFunc
}

// New returns a Service that hears nothing yet. Errors are of metrics.
func New(cfg Config) (*Service, error) {
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("signal metrics: %w", err)
	}
	windows, err := lru.New[event.Author, *window](maxAuthors)
	if err != nil {
		panic(err) // only for a size below one
	}
	s := &Service{
		cfg: cfg, log: cfg.Logger, metrics: m, own: rate.NewLimiter(sendPerSecond, sendAtOnce),
		all:     budget.New[peer.ID](perSecond, atOnce),
		useless: budget.New[peer.ID](uselessPerSecond, uselessAtOnce),
		authors: budget.New[event.Author](slack*sendPerSecond, slack*sendAtOnce),
		sending: make(chan struct{}, 1), seq: cfg.FirstSeq, topics: make(map[event.LogID]*topic), windows: windows,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// May reports whether one more own signal keeps to the pace, and counts it.
func (s *Service) May() bool { return s.own.Allow() }

// Send tells those who listen now. Nobody may. Errors: ErrForm, ErrOften,
// ErrClosed, ctx's.
func (s *Service) Send(ctx context.Context, log event.LogID, typ string, data []byte) error {
	if err := Check(typ, data); err != nil {
		return err
	}
	if !s.May() {
		return ErrOften
	}
	select {
	case s.sending <- struct{}{}:
		defer func() { <-s.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	t, err := s.topicLocked(log)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.seq++
	sig := Signal{Author: s.cfg.Author, Time: s.cfg.Now().UnixMilli(), Seq: s.seq, Type: typ, Data: data}
	b := sig.Encode(s.cfg.Network, log, s.cfg.Sign)
	if err := t.Publish(ctx, b, pubsub.WithValidatorData(own{})); err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	s.metrics.sent.Inc()
	return nil
}

// Listen has signals of a log heard until stop is called, which may be more
// than once. Errors: ErrClosed, those of pubsub.
func (s *Service) Listen(log event.LogID) (stop func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topicLocked(log)
	if err != nil {
		return nil, err
	}
	if t.listeners == 0 {
		if t.unrelay, err = t.Relay(); err != nil {
			return nil, fmt.Errorf("signal topic: %w", err)
		}
	}
	t.listeners++
	return sync.OnceFunc(func() { s.unlisten(t) }), nil
}

func (s *Service) unlisten(t *topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.listeners--; t.listeners == 0 && t.unrelay != nil {
		t.unrelay()
		t.unrelay = nil
	}
}

// topicLocked returns the topic of a log, which it begins to use.
func (s *Service) topicLocked(log event.LogID) (*topic, error) {
	if s.closed {
		return nil, ErrClosed
	}
	if t := s.topics[log]; t != nil {
		return t, nil
	}
	name := wire.SignalTopic(s.cfg.Tag, log)
	check := func(_ context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
		return s.validate(log, from, msg)
	}
	if err := s.cfg.PubSub.RegisterTopicValidator(name, check, pubsub.WithValidatorInline(true)); err != nil {
		return nil, fmt.Errorf("signal topic: %w", err)
	}
	joined, err := s.cfg.PubSub.Join(name)
	if err != nil {
		_ = s.cfg.PubSub.UnregisterTopicValidator(name)
		return nil, fmt.Errorf("signal topic: %w", err)
	}
	t := &topic{Topic: joined}
	s.topics[log] = t
	return t, nil
}

// Leave ends listening to a log and sending in it, until it is begun anew.
func (s *Service) Leave(log event.LogID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveLocked(log)
}

func (s *Service) leaveLocked(log event.LogID) {
	t := s.topics[log]
	if t == nil {
		return
	}
	delete(s.topics, log)
	if t.unrelay != nil {
		t.unrelay()
		t.unrelay = nil
	}
	_ = t.Close()
	_ = s.cfg.PubSub.UnregisterTopicValidator(t.String())
}

// Close leaves all logs. Nothing is heard once it has returned but by calls
// that were under way. It may be called more than once.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for log := range s.topics {
		s.leaveLocked(log)
	}
}
