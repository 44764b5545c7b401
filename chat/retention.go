package chat

import (
	"context"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Retention says how much of each room and of each direct chat this node keeps.
// What is older or more goes from its disk, for good; others keep what they
// keep. Zero fields are no bound.
//
// It goes a minute after the Messenger is opened and each hour after, unless the
// clock is known to be wrong. Who is in a room
// stays known, and a direct message stays until the other side has it.
type Retention struct {
	MaxAge   time.Duration // by the time that its author claims
	MaxBytes int64         // of signed events as they are stored; the oldest go first
}

const (
	retainEvery = 60          // ticks
	retainTick  = time.Minute // also how late the content of an expired event goes
)

// keepRetention deletes what is not to be kept, until the Messenger closes. It
// begins a minute after the start and leaves out while the clock is known to be
// wrong: what a clock that runs ahead deletes does not come back.
func (m *Messenger) keepRetention(r Retention) {
	tick := time.NewTicker(retainTick)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
		if m.node.Status().ClockWrong {
			continue
		}
		m.expire()
		if r != (Retention{}) && n%retainEvery == 0 {
			m.retain(r)
		}
		n++
	}
}

// expire erases the contents whose time has come.
func (m *Messenger) expire() {
	n, err := m.store.ExpireDue(m.ctx, m.node.Now())
	if err != nil && m.ctx.Err() == nil {
		m.log.Warn("expired contents are not erased", "err", err)
	} else if n > 0 {
		m.log.Info("expired contents erased", "events", n)
	}
}

// retain deletes in each room and direct chat what is not to be kept.
func (m *Messenger) retain(r Retention) {
	m.mu.Lock()
	all := make([]*conversation, 0, len(m.byLog))
	for _, c := range m.byLog {
		all = append(all, c)
	}
	m.mu.Unlock()
	var bytes int64
	for _, c := range all {
		done, err := c.retain(m.ctx, m.node.Now(), r)
		if m.ctx.Err() != nil {
			return
		}
		if err != nil {
			m.log.Warn("old messages are not deleted", "log", c.log, "err", err)
			continue
		}
		if done.Events > 0 {
			m.log.Info("old messages deleted", "log", c.log, "events", done.Events, "bytes", done.Bytes)
		}
		bytes += done.Bytes
	}
	if bytes == 0 {
		return
	}
	if err := m.store.Reclaim(m.ctx); err != nil && m.ctx.Err() == nil {
		m.log.Warn("the disk is not given back", "err", err)
	}
}

// retain deletes what is not to be kept of one log.
func (c *conversation) retain(ctx context.Context, now time.Time, r Retention) (eventlog.Retained, error) {
	o := eventlog.RetainOptions{MaxBytes: r.MaxBytes, Keep: c.of.keeps}
	if r.MaxAge > 0 {
		o.Before = now.Add(-r.MaxAge)
	}
	done, err := c.m.store.Retain(ctx, c.log, o)
	if err != nil {
		return done, err
	}
	return done, c.of.retained(ctx, done.Floor)
}

// keeps: who is in the room is a matter of events that may be old.
func (r *Room) keeps(e *eventlog.Entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view.Counts(&e.Event)
}

// retained writes the own profile anew when it lies below what is kept: who
// comes to the room later gets nothing from below.
func (r *Room) retained(ctx context.Context, floor uint64) error {
	r.mu.Lock()
	since := r.view.Since(r.m.self)
	r.mu.Unlock()
	if !r.Joined() || since == 0 || uint64(since.Second()) >= floor {
		return nil
	}
	return r.profile(ctx)
}

// keeps: what the other side does not have yet stays.
func (d *Direct) keeps(e *eventlog.Entry) bool {
	if e.Event.Author != d.m.self || e.Event.Kind != event.KindMessage {
		return false
	}
	state := d.state(e.Event.Seq, e.Fork)
	return state != StateDelivered && state != StateRead
}

func (d *Direct) retained(context.Context, uint64) error { return nil }

// Erase takes the content of a stored event off this node's disk, for good: a
// copy that comes later does not bring it back. The event itself stays, with its
// author, time and place, and so do the copies that others have. Errors:
// ErrNoMessage, ErrClosed, store errors.
func (m *Messenger) Erase(ctx context.Context, id ID) error {
	if _, err := m.Get(ctx, id); err != nil {
		return err
	}
	_, err := m.store.Erase(ctx, id)
	return err
}
