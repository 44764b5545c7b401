package direct

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
)

const (
	maxGot      = 64               // batches checked and not yet stored: then reading waits
	takeAtOnce  = 32               // batches stored in one commit
	writeAtOnce = 8                // batches between two looks at acknowledgements
	stallTime   = 30 * time.Second // without an acknowledgement that is awaited: the stream is given up
	costOfForm  = 100              // a malformed frame counts as so many useless ones
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

	resumed atomic.Bool  // the other's positions have come: events may be written
	heard   atomic.Int64 // when the last acknowledgement came, Unix ms

	ctx    context.Context
	cancel context.CancelFunc
}

// hold makes a sealed stream that of the pair and stays with it until it ends.
func (p *Pair) hold(stream *sealed, opened bool) {
	l := &link{
		p: p, opened: opened, stream: stream, ch: newPlain(stream),
		got: make(chan *event.Batch, maxGot), wake: make(chan struct{}, 1),
	}
	l.ctx, l.cancel = context.WithCancel(p.s.ctx)
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

// read takes frames in until the stream ends or is not worth it.
func (l *link) read() error {
	for {
		b, err := l.ch.read()
		if err != nil {
			return err
		}
		f, err := decodeFrame(b)
		if err != nil {
			return err
		}
		if _, first := f.(positions); first == l.resumed.Load() {
			return errNoStart // before them, or twice
		}
		switch f := f.(type) {
		case positions:
			err = l.begin(f)
		case events:
			err = l.events(f)
		case ack:
			err = l.acked(f)
		case signal:
			err = l.signal(f)
		}
		if err != nil {
			return err
		}
	}
}

// begin takes in how far the other is. What he has of our own chain and we have
// lost is asked for; his own he sends himself.
func (l *link) begin(f positions) error {
	p := l.p
	mine := f.low
	if string(p.s.cfg.Author[:]) > string(p.author[:]) {
		mine = f.high
	}
	lost, err := p.resume(l, mine)
	if err != nil {
		return err
	}
	if lost {
		if err := p.s.remember(p.author, false); err != nil {
			return err
		}
	}
	p.rep.Sync(p.peer) // and what the positions do not show, such as forks
	l.resumed.Store(true)
	if f.read.Seq > 0 {
		if _, err := p.seen(f.read); err != nil {
			return err
		}
	}
	l.wakeUp()
	return nil
}

func (l *link) events(payload events) error {
	b, err := l.p.rep.Check(payload)
	if errors.Is(err, event.ErrVersion) {
		return l.useless()
	}
	if err != nil {
		return errors.Join(errFrame, err)
	}
	select {
	case l.got <- b: // when it is full the other waits, for the stream fills up
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

func (l *link) acked(f ack) error {
	if f.author != l.p.s.cfg.Author {
		return errFrame
	}
	known, err := l.p.acked(f.at)
	if err != nil {
		return err
	}
	if !known { // a fork: he has what was lost here, if it is true
		l.p.rep.Sync(l.p.peer)
		return l.useless()
	}
	l.heard.Store(time.Now().UnixMilli())
	l.wakeUp()
	return nil
}

func (l *link) signal(f signal) error {
	if f.kind != signalRead {
		return l.useless()
	}
	at, err := decodeRead(f.body)
	if err != nil {
		return err
	}
	news, err := l.p.seen(at)
	if err == nil && !news {
		err = l.useless()
	}
	return err
}

// store brings checked batches into the store, those that wait together in one
// commit. What was read is stored even when the stream has ended.
func (l *link) store() error {
	for b := range l.got {
		batches := []*event.Batch{b}
		for len(batches) < takeAtOnce {
			select {
			case b, ok := <-l.got:
				if ok {
					batches = append(batches, b)
					continue
				}
			default:
			}
			break
		}
		if err := l.take(batches); err != nil {
			l.end()
			for range l.got { // the reader must not wait for ever
			}
			return err
		}
	}
	return nil
}

func (l *link) take(batches []*event.Batch) error {
	p := l.p
	if err := p.s.remember(p.author, false); err != nil {
		return err
	}
	fresh, errs := p.rep.Take(p.s.ctx, p.peer, batches)
	for i, b := range batches {
		switch {
		case errors.Is(errs[i], delivery.ErrHeld):
			continue
		case errs[i] != nil:
			return errs[i]
		}
		if fresh[i] > 0 {
			continue // owed since it was told to be stored
		}
		if b.Author() == p.author {
			p.owe(b)
		}
		if err := l.useless(); err != nil {
			return err
		}
	}
	return nil
}

// write sends the positions, and then what is due, until the stream ends.
func (l *link) write() error {
	if err := l.start(); err != nil {
		return err
	}
	look := time.NewTicker(stallTime / 3)
	defer look.Stop()
	for {
		more, err := l.writeDue()
		if err != nil {
			return err
		}
		if more {
			continue
		}
		select {
		case <-l.wake:
		case <-look.C:
			if l.stalled() {
				return errStalled
			}
		case <-l.ctx.Done():
			return nil
		}
	}
}

func (l *link) start() error {
	p := l.p
	own, his, err := p.standing()
	if err != nil {
		return err
	}
	p.mu.Lock()
	f := positions{low: own, high: his, read: p.rec.Read}
	p.mu.Unlock()
	if string(p.s.cfg.Author[:]) > string(p.author[:]) {
		f.low, f.high = f.high, f.low
	}
	if err := l.ch.write(f.encode()); err != nil {
		return err
	}
	if err := l.ch.flush(); err != nil {
		return err
	}
	p.told(f.read)
	return nil
}

// writeDue writes acknowledgements, what was read, and some events. more says
// that there may be more of them.
func (l *link) writeDue() (more bool, err error) {
	p := l.p
	acks, err := p.due()
	if err != nil {
		return false, err
	}
	for _, at := range acks {
		if err := l.ch.write(ack{p.author, at}.encode()); err != nil {
			return false, err
		}
	}
	read := p.untold()
	if read.Seq > 0 {
		if err := l.ch.write(signal{signalRead, read.appendTo(nil)}.encode()); err != nil {
			return false, err
		}
	}
	var last *event.Batch
	for n := 0; n < writeAtOnce && l.resumed.Load(); n++ {
		b, err := p.nextBatch(l)
		if err != nil {
			return false, err
		}
		if b == nil {
			break
		}
		if err := l.ch.write(events(b.Payload()).encode()); err != nil {
			return false, err
		}
		last = b
	}
	if last == nil && acks == nil && read.Seq == 0 {
		return false, nil
	}
	if err := l.ch.flush(); err != nil {
		return false, err
	}
	if read.Seq > 0 {
		p.told(read)
	}
	if last != nil {
		p.wrote(end(last))
	}
	return true, nil
}

// stalled reports whether an acknowledgement is awaited for too long.
func (l *link) stalled() bool {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	waits := p.link == l && len(p.out.flight) > 0
	if !waits {
		l.heard.Store(time.Now().UnixMilli())
		return false
	}
	return time.Since(time.UnixMilli(l.heard.Load())) > stallTime
}

// untold returns how far our person has read, if the other was not told.
func (p *Pair) untold() Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rec.Read == p.rec.Told {
		return Place{}
	}
	return p.rec.Read
}

// told notes that he was told how far our person has read. Should he not have
// heard it, the next positions say it again.
func (p *Pair) told(at Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rec.Told != at {
		p.rec.Told = at
		p.changedLocked()
	}
}

// wrote notes that own events up to a place were written to a stream.
func (p *Pair) wrote(at Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advanceLocked(&p.rec.Sent, at, Sent)
}
