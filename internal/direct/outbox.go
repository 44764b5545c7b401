package direct

import (
	"github.com/parley-chat/parley/internal/event"
)

// Bounds of what is under way to the other.
const (
	maxFlight      = 256     // batches written and not acknowledged
	maxFlightBytes = 4 << 20 // their payloads
	maxFresh       = 256     // batches kept in memory until they are written
	maxBacklog     = 1 << 16 // ids of batches to be read from the store
)

// outbox says what of the own chain is to be written to a stream next. It is no
// store: what it forgets it finds again by walking back from the chain's end.
// The pair's lock is over it.
type outbox struct {
	sent    Place          // the last event written to this stream
	flight  []*event.Batch // written and not acknowledged, oldest first
	bytes   int            // of their payloads
	backlog []event.ID     // in batches to be read from the store, newest first
	fresh   []*event.Batch // stored since they were listed, oldest first
	whole   bool           // backlog and fresh are all that comes after sent
}

// restart begins a stream whose other end has everything up to a place.
func (o *outbox) restart(at Place) { *o = outbox{sent: at} }

// add takes a batch that was just stored.
func (o *outbox) add(b *event.Batch) {
	switch {
	case !o.whole: // found by the next walk
	case len(o.fresh) == maxFresh:
		o.fresh, o.whole = nil, false
	default:
		o.fresh = append(o.fresh, b)
	}
}

func (o *outbox) full() bool { return len(o.flight) >= maxFlight || o.bytes >= maxFlightBytes }

// idle reports whether all was sent and acknowledged, as far as is known here.
func (o *outbox) idle() bool {
	return o.whole && len(o.flight)+len(o.fresh)+len(o.backlog) == 0
}

// nextFresh returns the next batch that is in memory; nil if there is none or
// the store has to be asked.
func (o *outbox) nextFresh() *event.Batch {
	for len(o.fresh) > 0 {
		b := o.fresh[0]
		o.fresh = o.fresh[1:]
		if end(b).Seq > o.sent.Seq {
			return b
		}
	}
	return nil
}

// fly notes that a batch is being written.
func (o *outbox) fly(b *event.Batch) {
	o.flight = append(o.flight, b)
	o.bytes += len(b.Payload())
	o.sent = end(b)
}

// landed takes what is acknowledged by a place from the flight, and reports
// whether the place is in it.
func (o *outbox) landed(at Place) bool {
	for i, b := range o.flight {
		if !holds(b, at) {
			continue
		}
		gone := i
		if at == end(b) {
			gone = i + 1
		}
		for _, b := range o.flight[:gone] {
			o.bytes -= len(b.Payload())
		}
		o.flight = append(o.flight[:0], o.flight[gone:]...)
		return true
	}
	return false
}

// end is the place of a batch's last event.
func end(b *event.Batch) Place {
	e := &b.Events[len(b.Events)-1]
	return Place{e.Seq, e.ID}
}

// holds reports whether the event at a place is in a batch.
func holds(b *event.Batch, at Place) bool {
	first := b.Events[0].Seq
	return at.Seq >= first && at.Seq <= end(b).Seq && b.Events[at.Seq-first].ID == at.ID
}

// nextBatch returns the next batch to write, nil if there is none or enough are
// under way. The stream's writer alone calls it; one that is not the current
// stream any more gets nothing.
func (p *Pair) nextBatch(l *link) (*event.Batch, error) {
	for {
		p.mu.Lock()
		o := &p.out
		if p.link != l || o.full() {
			p.mu.Unlock()
			return nil, nil
		}
		if n := len(o.backlog); n > 0 {
			id := o.backlog[n-1]
			o.backlog = o.backlog[:n-1]
			p.mu.Unlock()
			b, found, err := p.s.cfg.Store.Batch(id)
			if err != nil {
				return nil, err
			}
			if found && p.fly(l, b) {
				return b, nil
			}
			continue
		}
		if b := o.nextFresh(); b != nil {
			o.fly(b)
			p.mu.Unlock()
			return b, nil
		}
		whole, from := o.whole, o.sent
		o.whole = true // before the chain is read: what is stored from now on is added
		p.mu.Unlock()
		if whole {
			return nil, nil
		}
		ids, all, err := p.walk(from)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		if p.link == l {
			o.backlog = ids
		}
		if p.link == l && !all {
			o.fresh, o.whole = nil, false
		}
		p.mu.Unlock()
	}
}

// fly notes that a batch of the backlog is being written, unless all of it was.
func (p *Pair) fly(l *link, b *event.Batch) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != l || end(b).Seq <= p.out.sent.Seq {
		return false
	}
	p.out.fly(b)
	return true
}

// walk lists an event of each batch of the own chain after a place, newest
// first, at most the oldest maxBacklog of them; all says whether that is all.
func (p *Pair) walk(from Place) (ids []event.ID, all bool, err error) {
	seq, last, err := p.s.cfg.Store.Last(p.log, p.s.cfg.Author)
	if err != nil || seq <= from.Seq {
		return nil, true, err
	}
	all = true
	for id := last; ; {
		b, found, err := p.s.cfg.Store.Batch(id)
		if err != nil || !found {
			return ids, all, err
		}
		if ids = append(ids, id); len(ids) == 2*maxBacklog {
			ids, all = append(ids[:0], ids[maxBacklog:]...), false
		}
		first := &b.Events[0]
		if first.Seq <= from.Seq+1 || len(first.Parents) == 0 {
			break
		}
		id = first.Parents[0]
	}
	if len(ids) > maxBacklog {
		ids, all = ids[len(ids)-maxBacklog:], false
	}
	return ids, all, nil
}
