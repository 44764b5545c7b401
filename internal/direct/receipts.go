package direct

import (
	"github.com/parley-chat/parley/internal/event"
)

// maxOwed bounds the acknowledgements that wait for a gap to close; what is
// above is acknowledged when he sends it again.
const maxOwed = 256

// weigh counts what was stored of one who was never answered.
func (p *Pair) weigh(b *event.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.rec.Ours {
		p.rec.Bytes += uint64(len(b.Payload()))
		p.changedLocked()
	}
}

// owe notes a batch of the other that is safe on disk.
func (p *Pair) owe(b *event.Batch) {
	o := owed{at: end(b)}
	if first := &b.Events[0]; len(first.Parents) > 0 && first.Seq > 1 {
		o.before = Place{first.Seq - 1, first.Parents[0]}
	}
	p.mu.Lock()
	n := len(p.owed)
	switch {
	case n > 0 && p.owed[n-1].at == o.before:
		p.owed[n-1].at = o.at // one for both
	case n > 0 && p.owed[n-1].at == o.at || n == maxOwed:
	default:
		p.owed = append(p.owed, o)
	}
	l := p.link
	p.mu.Unlock()
	l.wakeUp()
}

// due returns what may be acknowledged now on the current stream: what follows on
// what was, and if no parent is missing in the log, everything.
// spec: 07-direct §5
func (p *Pair) due(l *link) (acks []Place, err error) {
	p.mu.Lock()
	if p.link != l || len(p.owed) == 0 {
		p.mu.Unlock()
		return nil, nil
	}
	owed := p.owed // what comes from now on may not be in the log that is looked at
	p.owed = nil
	loose := isLoose(owed, p.rec.Held)
	p.mu.Unlock()
	complete := false
	if loose {
		complete, err = p.s.cfg.Store.Complete(p.log)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	left := owed[:0]
	for _, o := range owed {
		switch {
		case err != nil || o.before != p.rec.Held && !complete:
			left = append(left, o)
			continue
		case o.before == p.rec.Held || o.at.Seq > p.rec.Held.Seq:
			p.rec.Held = o.at
		}
		if n := len(acks); n > 0 && acks[n-1] == o.before {
			acks = acks[:n-1]
		}
		acks = append(acks, o.at)
	}
	left = append(left, p.owed...)
	p.owed = left[:min(len(left), maxOwed)]
	if acks != nil {
		p.changedLocked()
	}
	return acks, err
}

// isLoose reports whether some of what is owed does not follow on what was
// acknowledged.
func isLoose(owed []owed, held Place) bool {
	for _, o := range owed {
		if o.before != held {
			return true
		}
		held = o.at
	}
	return false
}

// standing returns what is held of both chains, for the positions.
func (p *Pair) standing() (own, his Place, err error) {
	if own.Seq, own.ID, err = p.s.cfg.Store.Last(p.log, p.s.cfg.Author); err != nil {
		return own, his, err
	}
	complete, err := p.s.cfg.Store.Complete(p.log)
	if err != nil {
		return own, his, err
	}
	var end Place
	if end.Seq, end.ID, err = p.s.cfg.Store.Last(p.log, p.author); err != nil {
		return own, his, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if complete && p.rec.Held.Seq < end.Seq {
		p.rec.Held = end
		p.changedLocked()
	}
	return own, p.rec.Held, nil
}

// acked takes in that the other has an own event and those before it. It
// returns false if there is no such event.
func (p *Pair) acked(at Place) (known bool, err error) {
	p.mu.Lock()
	if p.out.landed(at) {
		p.advanceLocked(&p.rec.Acked, at, Delivered)
		p.mu.Unlock()
		return true, nil
	}
	p.mu.Unlock()
	if known, err = p.own(at); err != nil || !known {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advanceLocked(&p.rec.Acked, at, Delivered)
	return true, nil
}

// own reports whether a place is an own event of the chat.
func (p *Pair) own(at Place) (bool, error) {
	b, found, err := p.s.cfg.Store.Batch(at.ID)
	if err != nil || !found || b.Author() != p.s.cfg.Author || b.Log() != p.log {
		return false, err
	}
	return holds(b, at), nil
}

// advanceLocked moves a mark of the record on and tells; marks never go back.
func (p *Pair) advanceLocked(mark *Place, at Place, state string) {
	if at.Seq <= mark.Seq {
		return
	}
	*mark = at
	p.changedLocked()
	if p.s.cfg.Changed != nil {
		p.s.cfg.Changed(p.author, at, state)
	}
}

// seen takes in that the other's person was shown an own event.
func (p *Pair) seen(at Place) (news bool, err error) {
	p.mu.Lock()
	old := p.rec.Seen
	p.mu.Unlock()
	if at.Seq <= old.Seq {
		return false, nil
	}
	if known, err := p.own(at); err != nil || !known {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advanceLocked(&p.rec.Acked, at, Delivered)
	p.advanceLocked(&p.rec.Seen, at, Read)
	return true, nil
}

// resume begins a stream: it compares what the other says he has of the own
// chain with what was acknowledged, and decides where to go on. It returns what
// he has and we do not. spec: 07-direct §5
func (p *Pair) resume(l *link, mine Place) (lost bool, err error) {
	known := mine.Seq == 0
	if !known {
		if known, err = p.own(mine); err != nil {
			return false, err
		}
	}
	forked, err := p.forkedAfter()
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != l {
		return false, nil
	}
	from := p.rec.Acked
	switch {
	case !known: // of a branch that was lost here: it is fetched
	case mine.Seq < from.Seq: // he lost something
		from = mine
	case !forked: // an acknowledgement was lost on the way
		p.advanceLocked(&p.rec.Acked, mine, Delivered)
		from = mine
	}
	p.out.restart(from)
	return !known, nil
}

// forkedAfter reports whether the own chain forks after what was acknowledged.
func (p *Pair) forkedAfter() (bool, error) {
	state, err := p.s.cfg.Store.Author(p.log, p.s.cfg.Author)
	if err != nil || len(state.Forks) == 0 {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return state.Forks[len(state.Forks)-1].Last > p.rec.Acked.Seq, nil
}
