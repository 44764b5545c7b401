package direct

import (
	"time"

	"github.com/parley-chat/parley/internal/event"
)

const (
	writeAtOnce = 8                // batches between two looks at acknowledgements
	stallTime   = 30 * time.Second // without an acknowledgement that is awaited, or for the other to read a frame: the stream is given up
)

// write sends the positions, and then what is due, until the stream ends.
func (l *link) write() error {
	p := l.p
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
			p.despair(l)
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
	if err := l.put(f.encode()); err != nil {
		return err
	}
	if err := l.flush(); err != nil {
		return err
	}
	p.told(f.read)
	return nil
}

// put queues a frame, and flush sends what is queued. One who reads nothing of
// it keeps the writer no longer than one who acknowledges nothing.
func (l *link) put(frame []byte) error {
	if err := l.stream.raw.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
		return err
	}
	return l.ch.write(frame)
}

func (l *link) flush() error {
	if err := l.stream.raw.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
		return err
	}
	return l.ch.flush()
}

// writeDue writes acknowledgements, what was read, and some events. more says
// that there may be more of them.
func (l *link) writeDue() (more bool, err error) {
	p := l.p
	acks, err := p.due(l)
	if err != nil {
		return false, err
	}
	for _, at := range acks {
		if err := l.put(ack{p.author, at}.encode()); err != nil {
			return false, err
		}
	}
	read := p.untold()
	if read.Seq > 0 {
		if err := l.put(signal{signalRead, read.appendTo(nil)}.encode()); err != nil {
			return false, err
		}
	}
	passed, err := l.pass()
	if err != nil {
		return false, err
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
		if err := l.put(events(b.Payload()).encode()); err != nil {
			return false, err
		}
		last = b
	}
	if last == nil && acks == nil && read.Seq == 0 && !passed {
		return false, nil
	}
	if err := l.flush(); err != nil {
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

// pass writes applications' signals that wait.
func (l *link) pass() (some bool, err error) {
	for range maxPassing {
		select {
		case body := <-l.passing:
			if err := l.put(signal{signalApp, body}.encode()); err != nil {
				return some, err
			}
			some = true
		default:
			return some, nil
		}
	}
	return some, nil
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
