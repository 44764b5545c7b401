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
// clock is known to be wrong. Who is in a room stays known. A direct message
// stays until the other side has it, and of a direct chat nothing goes that is
// newer than when both sides were last found to have the same.
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

// lately is how old knowing a direct chat settled may be to bound its size: who
// is in touch compares twice a minute.
const lately = 5 * time.Minute

// retain deletes what is not to be kept of one log. Nothing falls below the
// floor for its age that has still to come, or to go to others.
func (c *conversation) retain(ctx context.Context, now time.Time, r Retention) (eventlog.Retained, error) {
	settled, err := c.of.settled(now)
	if err != nil || settled.IsZero() {
		return eventlog.Retained{}, err
	}
	o := eventlog.RetainOptions{Keep: c.of.keeps}
	if _, direct := c.of.(*Direct); !direct || now.Sub(settled) < lately {
		o.MaxBytes = r.MaxBytes // of a room whatever nobody holds yet: others may never come
	}
	if r.MaxAge > 0 {
		o.Before = now.Add(-r.MaxAge)
		if settled.Before(o.Before) {
			o.Before = settled
		}
	}
	done, err := c.m.store.Retain(ctx, c.log, o)
	if err != nil {
		return done, err
	}
	return done, c.of.retained(ctx, done.Floor)
}

// settled: what one said in a room where there are others waits until one of
// them holds it: from below the floor nothing is told. What they said while this
// node was away for longer than it keeps anything is not for it.
func (r *Room) settled(now time.Time) (time.Time, error) {
	seq, id, err := r.m.store.Last(r.log, r.m.self)
	if err != nil || seq == 0 {
		return now, err
	}
	others, held := r.heldElsewhere()
	for others && seq > held {
		b, found, err := r.m.store.Batch(id)
		if err != nil || !found {
			return now, err
		}
		for i := len(b.Events) - 1; i >= 0 && b.Events[i].Seq > held; i-- {
			now = time.Unix(b.Events[i].HLC.Second(), 0)
		}
		first := &b.Events[0]
		if len(first.Parents) == 0 {
			break
		}
		seq, id = first.Seq-1, first.Parents[0]
	}
	return now, nil
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

// settled: what the other wrote while he was away is to be read, however old it
// is when it comes.
func (d *Direct) settled(now time.Time) (time.Time, error) {
	if d.author == d.m.self {
		return now, nil
	}
	if l := d.m.delivery.Log(d.log); l != nil {
		return l.Synced().At, nil
	}
	return time.Time{}, nil
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
