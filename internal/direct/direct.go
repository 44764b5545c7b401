// Package direct carries direct chats: a log of two, whose events travel over
// one long-lived stream of the pair, sealed by Noise between their two peer
// IDs whatever lies below.
//
//	s, err := direct.New(direct.Config{…})
//	p, err := s.Begin(author)           // remembered; its replication runs
//	p.Log().Submit(ctx, draft)          // kept until he has it
//	s.State(author, seq)                // queued, sent, delivered, read
//	s.Met(author); s.Close()
//
// What is sent is an event of the log first. The outbox is the log itself: what
// the other has not acknowledged is read from it and sent again whenever he is
// met, over restarts of both sides. He acknowledges what is safe on his disk.
// What a cut stream, or a restored backup, leaves behind on either side is
// fetched as in a room, over streams that are sealed the same way.
//
// Who is away while something waits for him is looked for: one goroutine does.
// Each pair that runs has one that dials, besides those of its log;
// each stream has three: the reader decodes and checks, the storer brings
// events into the store, the writer owns what is sent. All methods may be
// called by any goroutine.
//
// spec: 07-direct
package direct

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/budget"
	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/wire"
)

// Bounds. spec: 07-direct §7
const (
	maxChats      = 2000             // remembered
	maxBegun      = 1000             // of those, begun by others and not answered
	maxUnanswered = 64 << 20         // bytes stored of one who was never answered
	maxStreams    = 64               // handshakes and sealed requests served at a time
	maxOfOnePeer  = 8                // the same, of one peer
	sealTime      = 10 * time.Second // for a handshake and the first frame

	uselessPerSecond = 100 // frames of one peer that bring nothing new
	uselessAtOnce    = 2000
)

var (
	// ErrTooMany is returned when no more chats are remembered.
	ErrTooMany = errors.New("too many direct chats")
	// ErrAway is returned for a signal to one who is not there to hear it.
	ErrAway = errors.New("the other is away")
	// ErrOften is returned for a signal when too many wait to be sent.
	ErrOften = errors.New("too many signals wait")
	// ErrClosed is returned once Close has begun.
	ErrClosed = errors.New("direct chats are closed")
)

// Store is what direct chats need of the event store besides replication.
type Store interface {
	Author(log event.LogID, author event.Author) (eventlog.AuthorState, error)
	Batch(id event.ID) (b *event.Batch, found bool, err error)
	Complete(log event.LogID) (bool, error)
	Last(log event.LogID, author event.Author) (seq uint64, id event.ID, err error)
	Meta(key string) ([]byte, error)
	SetMeta(key string, val []byte) error
	SetMetas(ctx context.Context, marks ...eventlog.Mark) error
}

// Config is what a Service works with. Every field without "may" is needed.
type Config struct {
	Host     host.Host // shows admitted peers only; its key is the author's
	Store    Store
	Delivery *delivery.Service
	Tag      string
	Network  [32]byte
	Author   event.Author
	// Seek looks for a peer that is not connected, and has it dialled if it is
	// found. One call runs at a time. It may be nil: then nobody is looked for.
	Seek func(context.Context, peer.ID) error
	// Begun is called when a chat is remembered that was not, before anything
	// of it is stored. Changed is called when own events up to a place reached
	// a state. Both must be quick and may be nil.
	Begun   func(event.Author)
	Changed func(a event.Author, at Place, state string)
	// Signalled is called for each application's signal, whose body it may
	// keep, and reports whether it was of use. It must be quick and may be nil.
	Signalled  func(a event.Author, body []byte) bool
	Logger     *slog.Logger          // may be nil: silent
	Registerer prometheus.Registerer // may be nil: no metrics
}

// Service carries any number of direct chats. Make one with New.
type Service struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	noise   sec.SecureTransport
	useless *budget.Budgets[peer.ID]
	dirty   chan struct{} // a record changed
	seeker  *seeker       // may be nil

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	listing  sync.Mutex // over the list of chats on disk
	starting sync.Mutex // held while a pair starts or ends, which takes a moment

	mu      sync.Mutex
	closed  bool
	chats   map[event.Author]bool   // remembered; true: begun here, or answered
	begun   int                     // of those, how many were not
	nicks   map[event.Author]string // what they are called
	order   []event.Author          // the same, in the order of their beginning
	pairs   map[event.Author]*Pair
	byLog   map[event.LogID]*Pair
	serving map[peer.ID]int
	total   int

	strangers map[event.Author]int // streams of authors who are not in chats
	strange   int                  // of all of them
}

// New returns a Service that answers admitted peers.
func New(cfg Config) (*Service, error) {
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("direct metrics: %w", err)
	}
	s := &Service{
		cfg: cfg, log: cfg.Logger, metrics: m,
		useless: budget.New[peer.ID](uselessPerSecond, uselessAtOnce),
		dirty:   make(chan struct{}, 1), chats: make(map[event.Author]bool), nicks: make(map[event.Author]string),
		pairs: make(map[event.Author]*Pair), byLog: make(map[event.LogID]*Pair), serving: make(map[peer.ID]int),
		strangers: make(map[event.Author]int),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.noise, err = newNoise(cfg.Host.Peerstore().PrivKey(cfg.Host.ID()), cfg.Network); err != nil {
		return nil, fmt.Errorf("direct chats: %w", err)
	}
	if err := s.loadChats(); err != nil {
		return nil, fmt.Errorf("direct chats: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.keep)
	if cfg.Seek != nil {
		s.seeker = newSeeker(s)
		s.wg.Go(func() { s.seeker.run(s.ctx) })
	}
	cfg.Host.SetStreamHandler(wire.DirectProtocol(cfg.Tag), s.handle)
	return s, nil
}

// Chats lists the authors with whom there is a chat, in the order of their
// beginning.
func (s *Service) Chats() []event.Author {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// LogOf is the log of the chat with an author.
func (s *Service) LogOf(a event.Author) event.LogID {
	return event.DirectLog(s.cfg.Network, s.cfg.Author, a)
}

// Begin remembers a chat and runs it. Errors: ErrTooMany, ErrClosed, the
// store's.
func (s *Service) Begin(a event.Author) (*Pair, error) {
	if err := s.remember(a, true); err != nil {
		return nil, err
	}
	p, err := s.pair(a)
	if err == nil {
		p.ours()
	}
	return p, err
}

// Find returns the chat with an author, running, or nil if none is remembered.
func (s *Service) Find(a event.Author) (*Pair, error) {
	s.mu.Lock()
	_, known := s.chats[a]
	s.mu.Unlock()
	if !known {
		return nil, nil
	}
	return s.pair(a)
}

// Met says that a peer was admitted: what waits for him goes out.
func (s *Service) Met(a event.Author) {
	s.seeker.hope()
	p, err := s.Find(a)
	if err != nil {
		if !errors.Is(err, ErrClosed) {
			s.log.Warn("direct chat not opened", "err", err)
		}
		return
	}
	if p != nil {
		p.met()
	}
}

// Stored takes note of a batch that came into the store, by whatever way.
func (s *Service) Stored(b *event.Batch) {
	s.mu.Lock()
	p := s.byLog[b.Log()]
	s.mu.Unlock()
	switch {
	case p == nil:
	case b.Author() == s.cfg.Author:
		p.current().wakeUp() // it may close a gap
	default:
		p.weigh(b)
		p.owe(b)
		p.arrived(b)
	}
}

// Close ends all streams and goroutines, waits, and remembers how far they came.
// It may be called more than once.
func (s *Service) Close() {
	s.cfg.Host.RemoveStreamHandler(wire.DirectProtocol(s.cfg.Tag))
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	for _, p := range s.all() {
		s.cfg.Delivery.Leave(p.log)
	}
	s.keepAll()
}

// handle serves a stream that a peer opened.
func (s *Service) handle(raw network.Stream) {
	p := raw.Conn().RemotePeer()
	if !s.enter(p) {
		_ = raw.Reset()
		return
	}
	defer s.wg.Done()
	a, stream, err := s.greet(raw, p)
	s.leave(p)
	if err == nil && stream != nil { // else it was a request, which is answered
		err = s.receive(a, stream)
	}
	if err != nil {
		s.metrics.refused.Inc()
		s.log.Debug("direct stream refused", "peer", p, "err", err)
		_ = raw.Reset()
	}
}

// greet is what comes before a chat stream is held, or all of a request.
func (s *Service) greet(raw network.Stream, p peer.ID) (a event.Author, stream *sealed, err error) {
	if !s.useless.Solvent(p) {
		return a, nil, errors.New("peer over its budget")
	}
	if a, err = wire.Author(p); err != nil || a == s.cfg.Author {
		return a, nil, errors.Join(errFrame, err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, sealTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = raw.Reset() })
	stream, purpose, err := s.sealIn(ctx, raw, p)
	if err != nil {
		stop()
		s.useless.Charge(p, 100)
		return a, nil, err
	}
	if !stop() {
		return a, nil, ctx.Err()
	}
	if purpose == wire.ForChat {
		return a, stream, nil
	}
	if _, err := s.Find(a); err != nil { // without a chat its log is answered as one that is not known
		return a, nil, err
	}
	return a, nil, s.cfg.Delivery.ServePair(purpose, stream, p, s.LogOf(a))
}

// enter counts a stream in that is not yet a chat's; leave counts it out.
func (s *Service) enter(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.total >= maxStreams || s.serving[p] >= maxOfOnePeer {
		return false
	}
	s.wg.Add(1)
	s.total++
	s.serving[p]++
	return true
}

func (s *Service) leave(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.serving[p]--; s.serving[p] == 0 {
		delete(s.serving, p)
	}
}

// open opens a sealed stream to an admitted peer.
func (s *Service) open(ctx context.Context, p peer.ID, purpose string) (*sealed, error) {
	raw, err := s.cfg.Host.NewStream(network.WithNoDial(ctx, "direct chats wait"), p, wire.DirectProtocol(s.cfg.Tag))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, sealTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = raw.Reset() })
	out, err := s.sealOut(ctx, raw, p, purpose)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = raw.Reset()
		return nil, err
	}
	return out, nil
}
