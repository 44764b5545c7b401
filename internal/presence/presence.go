// Package presence tells the network's members of each other: who is online,
// by what name, in which public rooms, and where each stands in them. It sends
// this node's signals and keeps the newest of everyone else's.
//
// A signal is gossiped at an interval that grows with the number of nodes
// online, so that a network of up to 1,500 nodes sends about five a second
// whatever its size; a change is told earlier where that budget allows. A peer that has
// just been admitted is also sent one directly, so that two nodes know each
// other at once. Nothing is stored; who is online means that a signal was
// heard within three of its intervals.
//
//	s, err := presence.Start(presence.Config{…})
//	s.Greet(p)     // p was admitted
//	s.Touch()      // what Local returns is different now
//	s.InRoom(key)
//	s.Close()      // says goodbye
//
// All methods may be called by any goroutine. The callbacks are called by
// goroutines of pubsub, streams and this package, several at a time: they must
// be quick and must not block.
//
// spec: 05-presence
package presence

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/budget"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Config is what a Service works with. Every field without "may" is needed.
type Config struct {
	Host    host.Host // shows admitted peers only
	PubSub  *pubsub.PubSub
	Tag     string // the network's tag in names of protocols and topics
	Network [32]byte
	Author  event.Author
	Sign    func([]byte) []byte
	// FirstSeq is higher than any sequence number this author used before.
	FirstSeq uint64
	// Local returns what to tell: nick and rooms. It is called for each signal.
	Local func() Local
	// Heard is called for each signal that is new. It may be nil.
	Heard func(*Signal)
	// Changed is called when what Peer or Rooms answers about an author is
	// different. It may be nil.
	Changed    func(event.Author)
	Now        func() time.Time      // the wall clock; may be nil: time.Now
	Logger     *slog.Logger          // may be nil: silent
	Registerer prometheus.Registerer // may be nil: no metrics
}

// Local is what this node tells of itself.
type Local struct {
	Nick  string
	Rooms []Room
}

// Service is running presence. Make one with Start.
type Service struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	topic   *pubsub.Topic
	unrelay pubsub.RelayCancelFunc
	touched chan struct{}
	greet   *greeter

	useless   *budget.Budgets[peer.ID]
	strangers *budget.Budgets[peer.ID]

	mu    sync.Mutex
	table *table

	signalMu sync.Mutex // over making a signal, so that seq rises as they leave
	seq      uint64
	turn     int // where the rotation through the rooms is
	brief    *brevity

	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
}

// Start joins the presence topic, serves the signal protocol and sends the
// first signal.
func Start(cfg Config) (*Service, error) {
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("presence metrics: %w", err)
	}
	s := &Service{
		cfg: cfg, log: cfg.Logger, metrics: m,
		touched: make(chan struct{}, 1), table: newTable(), seq: cfg.FirstSeq, brief: newBrevity(),
		useless:   budget.New[peer.ID](uselessPerSecond, uselessAtOnce),
		strangers: budget.New[peer.ID](strangersPerSecond, strangersAtOnce),
	}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	name := wire.PresenceTopic(cfg.Tag)
	if err := cfg.PubSub.RegisterTopicValidator(name, s.validate, pubsub.WithValidatorInline(true)); err != nil {
		return nil, fmt.Errorf("presence topic: %w", err)
	}
	if err := s.join(name); err != nil {
		_ = cfg.PubSub.UnregisterTopicValidator(name)
		return nil, fmt.Errorf("presence topic: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.greet = newGreeter(ctx, s)
	cfg.Host.SetStreamHandler(wire.SignalProtocol(cfg.Tag), s.greet.receive)
	s.wg.Go(func() { s.run(ctx) })
	return s, nil
}

// join relays the topic rather than subscribing to it: the validator has
// already taken in what a subscription would deliver.
func (s *Service) join(name string) (err error) {
	if s.topic, err = s.cfg.PubSub.Join(name); err != nil {
		return err
	}
	if s.unrelay, err = s.topic.Relay(); err != nil {
		_ = s.topic.Close()
	}
	return err
}

// Close ends what Start began, says goodbye to the network and waits. It may be
// called more than once.
func (s *Service) Close() {
	s.once.Do(func() {
		s.cfg.Host.RemoveStreamHandler(wire.SignalProtocol(s.cfg.Tag))
		s.cancel()
		s.wg.Wait()
		s.greet.wait()
		s.farewell(s.publish(context.Background(), true)) // last, so that no later signal undoes it
		s.unrelay()
		_ = s.topic.Close()
		_ = s.cfg.PubSub.UnregisterTopicValidator(wire.PresenceTopic(s.cfg.Tag))
	})
}

// Touch says that Local would answer differently, so that it is told early.
func (s *Service) Touch() {
	select {
	case s.touched <- struct{}{}:
	default:
	}
}

// Greet sends p, just admitted, a signal directly. When too many wait to be
// greeted it does nothing: p hears the next gossip.
func (s *Service) Greet(p peer.ID) { s.greet.add(p) }

// Pace of signals. spec: 05-presence §3
const (
	minInterval = 10 * time.Second
	maxInterval = 5 * time.Minute         // whatever others claim to be online
	minGap      = 1500 * time.Millisecond // before a change is told early
	perOnline   = time.Second / 5         // five signals a second in all
	settle      = time.Second             // from a change to its signal, at least
	tick        = time.Second             // how exactly silence is noticed
)

func interval(online int) time.Duration {
	return min(max(minInterval, time.Duration(online)*perOnline), maxInterval)
}

func gap(online int) time.Duration {
	return min(max(minGap, time.Duration(online)*perOnline), maxInterval)
}

// run sends signals when they are due and notices who went silent. A change
// is told a moment after it, so that one signal tells of many and gossip is
// there before it.
func (s *Service) run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	early := time.NewTimer(time.Hour)
	early.Stop()
	defer early.Stop()
	armed, last := false, time.Now()
	s.publish(ctx, false)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.touched:
			if !armed {
				armed = true
				early.Reset(max(gap(s.Online())-time.Since(last), settle))
			}
			continue
		case now := <-ticker.C:
			s.expire(now)
			if time.Since(last) < interval(s.Online()) {
				continue
			}
		case <-early.C:
		}
		early.Stop()
		armed, last = false, time.Now()
		s.publish(ctx, false)
	}
}

func (s *Service) expire(now time.Time) {
	s.mu.Lock()
	gone := s.table.expire(now)
	s.mu.Unlock()
	for _, author := range gone {
		s.changed(author)
	}
}

func (s *Service) changed(author event.Author) {
	if s.cfg.Changed != nil {
		s.cfg.Changed(author)
	}
}

// publish gossips a signal, and returns it.
func (s *Service) publish(ctx context.Context, goodbye bool) []byte {
	data := s.signal(true, goodbye)
	if err := s.topic.Publish(ctx, data, pubsub.WithValidatorData(own{})); err != nil {
		s.log.Debug("signal not published", "err", err)
		return data
	}
	s.metrics.sent.Inc()
	return data
}

// signal makes the next signal, which is brief for those who have heard others.
// When the rooms do not fit, it takes some and goes on from there the next time.
func (s *Service) signal(brief, goodbye bool) []byte {
	s.signalMu.Lock()
	defer s.signalMu.Unlock()
	local := s.cfg.Local()
	s.seq++
	sig := Signal{
		Author: s.cfg.Author, Time: s.cfg.Now().UnixMilli(), Seq: s.seq,
		Interval: interval(s.Online()), Nick: local.Nick, Goodbye: goodbye,
		Total: uint32(len(local.Rooms)),
	}
	const frame = 32 + 64 + 4*11 + 3*MaxName // more than everything but the rooms
	size, whole := frame, -1
	if brief {
		whole = s.brief.turn(len(local.Rooms))
	}
	for i := range local.Rooms {
		i = (s.turn + i) % len(local.Rooms)
		r := local.Rooms[i]
		if brief {
			r = s.brief.room(r, i == whole)
		}
		size += len(r.encode()) + 4
		if len(sig.Rooms) == MaxRooms || size > MaxSignal {
			break
		}
		sig.Rooms = append(sig.Rooms, r)
	}
	if len(sig.Rooms) < len(local.Rooms) {
		s.turn = (s.turn + len(sig.Rooms)) % len(local.Rooms)
	}
	return sig.Encode(s.cfg.Network, s.cfg.Sign)
}
