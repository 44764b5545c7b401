package delivery

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wake"
)

// Log is the replication of one joined log.
type Log struct {
	s      *Service
	id     event.LogID
	log    *slog.Logger
	way    Way
	admits func(*event.Batch) error // nil, or why a batch can never be in the log
	may    func(*event.Batch) bool  // nil, or whether a batch is one to take as things stand here
	direct bool                     // between two, who alone are served; what comes is durable before it is told

	drafts  chan *Pending // to the sender
	known   *known
	held    *holdback
	queue   *wake.Queue[arrival] // verified batches, to the taker
	waiting atomic.Int64         // bytes in queue
	soon    chan struct{}        // something was held aside
	fetcher *fetcher
	syncer  *syncer
	acks    acks

	// forgotten is set when an own event came from outside, as after a restored
	// backup: the sender then reads the end of its chain anew.
	forgotten atomic.Bool
	chain     sync.Mutex  // held while the own chain is made longer
	failing   atomic.Bool // the store refused the last batch, and that was logged

	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	stopped chan struct{} // closed when the sender has failed what was left
}

// newLog makes a log without its way; run starts the goroutines, stop ends
// them.
func newLog(s *Service, id event.LogID) *Log {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Log{
		s: s, id: id, log: s.log.With("log", id.String()[:12]),
		drafts: make(chan *Pending, maxDrafts),
		known:  newKnown(), held: new(holdback), queue: wake.New[arrival](maxQueue),
		soon: make(chan struct{}, 1),
		ctx:  ctx, cancel: cancel, stopped: make(chan struct{}),
	}
	l.fetcher, l.syncer = newFetcher(l), newSyncer(l)
	return l
}

func (l *Log) run() {
	l.wg.Go(l.send)
	l.wg.Go(l.take)
	l.wg.Go(l.fetcher.run)
	l.wg.Go(l.syncer.run)
	if g, ok := l.way.(*gossip); ok {
		l.wg.Go(func() { l.syncer.meet(g.events) })
	}
}

// leave ends everything and waits.
func (l *Log) leave() {
	g, ok := l.way.(*gossip)
	if ok {
		g.unrelay()
	}
	l.cancel()
	l.wg.Wait()
	if ok {
		g.leave()
	}
}

// Peers returns how many connected peers replicate this log too.
func (l *Log) Peers() int { return len(l.way.Peers()) }
