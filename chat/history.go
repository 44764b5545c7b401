package chat

import (
	"context"
	"iter"
	"slices"

	"github.com/parley-chat/parley/internal/eventlog"
)

// Get returns one stored event of any kind, of any room joined now or once.
// Errors: ErrNoMessage, ErrClosed, store errors.
func (m *Messenger) Get(_ context.Context, id ID) (Message, error) {
	if err := m.alive(); err != nil {
		return Message{}, err
	}
	e, ok, err := m.store.Get(id)
	if err != nil {
		return Message{}, err
	}
	r := m.roomOf(e.Event.Log)
	if !ok || r == nil {
		return Message{}, ErrNoMessage.Withf("there is no message %.12s… here", id)
	}
	return m.message(r, &e), nil
}

// History yields stored messages, oldest first. An error ends it. An unknown
// q.Before or q.After is ErrNoMessage.
func (r *Room) History(ctx context.Context, q Query) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		stored, err := r.query(q)
		if err != nil {
			yield(Message{}, err)
			return
		}
		if q.Limit > 0 && q.After == nil {
			r.newest(ctx, stored, q, yield)
			return
		}
		n := 0
		for e, err := range r.m.store.History(ctx, stored) {
			if err != nil {
				yield(Message{}, err)
				return
			}
			if !r.shows(&e, q.All) {
				continue
			}
			if !yield(r.m.message(r, &e), nil) {
				return
			}
			if n++; n == q.Limit {
				return
			}
		}
	}
}

// newest yields the newest q.Limit messages, oldest first. It reads backwards
// and holds them all.
func (r *Room) newest(ctx context.Context, stored eventlog.Query, q Query, yield func(Message, error) bool) {
	var found []Message
	stored.Reverse = true
	for e, err := range r.m.store.History(ctx, stored) {
		if err != nil {
			yield(Message{}, err)
			return
		}
		if r.shows(&e, q.All) {
			found = append(found, r.m.message(r, &e))
		}
		if len(found) == q.Limit {
			break
		}
	}
	for _, msg := range slices.Backward(found) {
		if !yield(msg, nil) {
			return
		}
	}
}

func (r *Room) shows(e *eventlog.Entry, all bool) bool {
	return all || spoken(&e.Event) && !r.m.ignores(e.Event.Author)
}

// query finds the places of the ids in q.
func (r *Room) query(q Query) (stored eventlog.Query, err error) {
	if err := r.m.alive(); err != nil {
		return stored, err
	}
	stored.Log = r.log
	if stored.Before, err = r.place(q.Before); err != nil {
		return stored, err
	}
	stored.After, err = r.place(q.After)
	return stored, err
}

func (r *Room) place(id *ID) (*eventlog.Position, error) {
	if id == nil {
		return nil, nil
	}
	e, ok, err := r.m.store.Get(*id)
	if err != nil {
		return nil, err
	}
	if !ok || e.Event.Log != r.log {
		return nil, ErrNoMessage.Withf("there is no message %.12s… in the room %q", id, r.name)
	}
	at := e.Position()
	return &at, nil
}
