package direct

import (
	"errors"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
)

const takeAtOnce = 32 // batches stored in one commit

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
		held, below := errors.Is(errs[i], delivery.ErrHeld), errors.Is(errs[i], delivery.ErrBelow)
		if errs[i] != nil && !held && !below && !errors.Is(errs[i], delivery.ErrCut) {
			return errs[i]
		}
		if fresh[i] > 0 {
			continue // owed since it was told to be stored
		}
		if errs[i] == nil && b.Author() == p.author {
			p.owe(b) // again
		}
		if err := l.useless(); err != nil {
			return err
		}
	}
	return nil
}
