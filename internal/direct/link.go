package direct

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

const (
	maxGot     = 64  // batches checked and not yet stored: then reading waits
	maxPassing = 64  // applications' signals not yet written: then more are refused
	costOfForm = 100 // a malformed frame counts as so many useless ones
)

// Why a stream is given up.
var (
	errBudget  = errors.New("too much of no use")
	errStalled = errors.New("nothing is acknowledged")
	errNoStart = errors.New("frame before the positions")
)

// link is one chat stream of a pair.
type link struct {
	p      *Pair
	opened bool // here
	stream *sealed
	ch     channel
	got    chan *event.Batch // from the reader to the storer
	wake   chan struct{}     // to the writer

	passing chan []byte // to the writer: applications' signals

	resumed atomic.Bool  // the other's positions have come: events may be written
	heard   atomic.Int64 // when the last acknowledgement came, Unix ms

	// announced is where the other's chain ended when the stream began, until
	// that has come; came is when something last did. The pair's lock is over both.
	announced Place
	came      time.Time

	ctx    context.Context
	cancel context.CancelFunc
}

// hold makes a sealed stream that of the pair and stays with it until it ends.
func (p *Pair) hold(stream *sealed, opened bool) {
	l := &link{
		p: p, opened: opened, stream: stream, ch: newPlain(stream),
		got: make(chan *event.Batch, maxGot), wake: make(chan struct{}, 1), passing: make(chan []byte, maxPassing), came: time.Now(),
	}
	l.ctx, l.cancel = context.WithCancel(p.ctx)
	defer l.cancel()
	stop := context.AfterFunc(l.ctx, func() { _ = stream.Reset() })
	defer stop()
	defer stream.Reset()
	if !p.take(l) {
		p.s.metrics.switched.Inc()
		return
	}
	began := time.Now()
	l.heard.Store(began.UnixMilli())
	p.s.metrics.streams.Inc()
	var wg sync.WaitGroup
	wg.Go(func() { defer close(l.got); l.done("reading", l.read()) })
	wg.Go(func() { l.done("storing", l.store()) })
	wg.Go(func() { l.done("writing", l.write()) })
	wg.Wait()
	p.s.metrics.streams.Dec()
	p.drop(l, began)
}

// end gives a stream up; hold then returns.
func (l *link) end() { l.cancel() }

// done ends the stream when one of the three has ended.
func (l *link) done(doing string, err error) {
	if err != nil && l.ctx.Err() == nil {
		l.p.s.log.Debug("direct stream ends", "peer", l.p.peer, "while", doing, "err", err)
	}
	if errors.Is(err, errFrame) || errors.Is(err, errNoStart) {
		l.p.s.metrics.malformed.Inc()
		l.p.s.useless.Charge(l.p.peer, costOfForm)
	}
	l.end()
}

// wakeUp makes the writer look again. There may be no stream.
func (l *link) wakeUp() {
	if l == nil {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// useless charges a frame that brought nothing new.
func (l *link) useless() error {
	l.p.s.metrics.useless.Inc()
	l.p.s.useless.Charge(l.p.peer, 1)
	if !l.p.s.useless.Solvent(l.p.peer) {
		return errBudget
	}
	return nil
}
