package delivery

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wake"
	"github.com/parley-chat/parley/internal/wire"
)

// Log is the replication of one joined log.
type Log struct {
	s     *Service
	id    event.LogID
	log   *slog.Logger
	topic *pubsub.Topic

	drafts  chan *Pending // to the sender
	known   *known
	held    *holdback
	queue   *wake.Queue[arrival] // verified batches, to the taker
	waiting atomic.Int64         // bytes in queue
	soon    chan struct{}        // something was held aside
	fetcher *fetcher
	syncer  *syncer

	// forgotten is set when an own event came from outside, as after a restored
	// backup: the sender then reads the end of its chain anew.
	forgotten atomic.Bool
	failing   atomic.Bool // the store refused the last batch, and that was logged

	ctx     context.Context
	cancel  context.CancelFunc
	unrelay pubsub.RelayCancelFunc
	wg      sync.WaitGroup
	stopped chan struct{} // closed when the sender has failed what was left
}

// startLog joins the topic and starts the goroutines; stop ends them.
func startLog(s *Service, id event.LogID) (*Log, error) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Log{
		s: s, id: id, log: s.log.With("log", id.String()[:12]),
		drafts: make(chan *Pending, maxDrafts),
		known:  newKnown(), held: new(holdback), queue: wake.New[arrival](maxQueue),
		soon: make(chan struct{}, 1),
		ctx:  ctx, cancel: cancel, stopped: make(chan struct{}),
	}
	l.fetcher, l.syncer = newFetcher(l), newSyncer(l)
	if err := l.join(); err != nil {
		cancel()
		return nil, err
	}
	events, err := l.topic.EventHandler()
	if err != nil {
		l.stop()
		return nil, err
	}
	l.wg.Go(l.send)
	l.wg.Go(l.take)
	l.wg.Go(l.fetcher.run)
	l.wg.Go(l.syncer.run)
	l.wg.Go(func() { l.syncer.meet(events) })
	return l, nil
}

// join relays the topic rather than subscribing to it: the validator hands on
// what a subscription would deliver, and knows when the queue is full.
func (l *Log) join() (err error) {
	ps, name := l.s.cfg.PubSub, wire.LogTopic(l.s.cfg.Tag, l.id)
	if err := ps.RegisterTopicValidator(name, l.validate, pubsub.WithValidatorInline(true)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = ps.UnregisterTopicValidator(name)
		}
	}()
	if l.topic, err = ps.Join(name); err != nil {
		return err
	}
	if l.unrelay, err = l.topic.Relay(); err != nil {
		_ = l.topic.Close()
	}
	return err
}

func (l *Log) stop() {
	l.unrelay()
	l.cancel()
	l.wg.Wait()
	_ = l.topic.Close()
	_ = l.s.cfg.PubSub.UnregisterTopicValidator(l.topic.String())
}

// Peers returns how many connected peers replicate this log too.
func (l *Log) Peers() int { return len(l.peers()) }
