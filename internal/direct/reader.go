package direct

import (
	"errors"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

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
	mine, his := f.low, f.high
	if string(p.s.cfg.Author[:]) > string(p.author[:]) {
		mine, his = f.high, f.low
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
	if err := p.announce(l, his, lost); err != nil {
		return err
	}
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
	if errors.Is(err, errUnanswered) {
		return err // he may not know: what he has to say waits with him
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
	switch f.kind {
	case signalRead:
		return l.shown(f)
	case signalApp:
		heard := l.p.s.cfg.Signalled
		if heard != nil && l.p.s.remembers(l.p.author) && heard(l.p.author, f.body) {
			return nil
		}
	}
	return l.useless()
}

// shown takes in how far the other's person has read.
func (l *link) shown(f signal) error {
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
