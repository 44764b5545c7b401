package delivery

import (
	"fmt"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

const (
	ackPace = 20 * time.Millisecond // between two acknowledgements on a stream
	ackIdle = 10 * time.Second      // without anything to acknowledge, after which it ends
)

// acks are the authors who follow what is stored here of theirs, one stream each.
// The zero value is ready.
type acks struct {
	mu sync.Mutex
	of map[event.Author]*following
}

type following struct {
	wake   chan struct{} // more is stored
	ended  chan struct{} // a later stream of his took the place
	stored uint64        // under acks.mu
}

// stored tells the author, if he follows, that one of his events is stored, or
// will never be.
func (a *acks) stored(author event.Author, seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.of[author]; f != nil && seq > f.stored {
		f.stored = seq
		signal(f.wake)
	}
}

func (a *acks) enter(author event.Author) *following {
	a.mu.Lock()
	defer a.mu.Unlock()
	if before := a.of[author]; before != nil {
		close(before.ended)
	}
	if a.of == nil {
		a.of = make(map[event.Author]*following)
	}
	f := &following{wake: make(chan struct{}, 1), ended: make(chan struct{})}
	a.of[author] = f
	return f
}

func (a *acks) leave(author event.Author, f *following) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[author] == f {
		delete(a.of, author)
	}
}

func (a *acks) highest(f *following) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return f.stored
}

// serveAcks tells an author how far his events are stored, each time that rises.
// touched is called before each wait. It returns the result for counting.
func (v *server) serveAcks(o *opening, touched func()) (result string, err error) {
	var r ackRequest
	result, err = v.open(o, maxAckRequest, func(b []byte) (log event.LogID, err error) {
		r, err = decodeAckRequest(b)
		return r.log, err
	})
	if result != "" {
		return result, err
	}
	author, err := wire.Author(o.p)
	if err != nil {
		return "malformed", err
	}
	l := v.s.Log(r.log)
	if l == nil { // left meanwhile
		return "no-log", writeStatus(o.stream, statusNoLog)
	}
	f := l.acks.enter(author)
	defer l.acks.leave(author, f)
	last, _, err := v.s.cfg.Store.Last(r.log, author)
	if err != nil {
		return "failed", fmt.Errorf("%w, %w", err, writeStatus(o.stream, statusFailed))
	}
	l.acks.stored(author, last)
	return v.follow(o, l, f, touched)
}

// follow writes acknowledgements until nothing was stored for some time, the
// author opens another stream, or the log is left.
func (v *server) follow(o *opening, l *Log, f *following, touched func()) (result string, err error) {
	told := l.acks.highest(f)
	frame := append([]byte{byte(statusOK)}, ack(told).encode()...)
	for {
		touched()
		if err := wire.WriteFrame(o.stream, frame); err != nil {
			return "ok", nil // the author follows no more
		}
		if !pause(l.ctx, ackPace) {
			return "ok", nil
		}
		for {
			if now := l.acks.highest(f); now > told {
				told = now
				break
			}
			if !f.await(l.ctx.Done()) {
				return "ok", nil
			}
		}
		frame = ack(told).encode()
	}
}

// await waits until more may be stored; false says that it ends.
func (f *following) await(left <-chan struct{}) bool {
	timer := time.NewTimer(ackIdle)
	defer timer.Stop()
	select {
	case <-f.wake:
		return true
	case <-timer.C:
	case <-f.ended:
	case <-left:
	}
	return false
}
