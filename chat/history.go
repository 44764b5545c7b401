package chat

import (
	"context"
	"iter"
	"slices"

	"github.com/parley-chat/parley/internal/eventlog"
)

// Get returns one stored event of any kind, of any room joined now or once
// and any direct chat.
// Errors: ErrNoMessage, ErrClosed, store errors.
func (m *Messenger) Get(_ context.Context, id ID) (Message, error) {
	if err := m.alive(); err != nil {
		return Message{}, err
	}
	e, ok, err := m.store.Get(id)
	if err != nil {
		return Message{}, err
	}
	c := m.conversationOf(e.Event.Log)
	if !ok || c == nil {
		return Message{}, ErrNoMessage.Withf("there is no message %.12s… here", id)
	}
	return c.message(&e), nil
}

// History yields stored messages, oldest first. An error ends it. An unknown
// q.Before or q.After is ErrNoMessage.
func (c *conversation) History(ctx context.Context, q Query) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		stored, err := c.query(q)
		if err != nil {
			yield(Message{}, err)
			return
		}
		if q.Limit > 0 && q.After == nil {
			c.newest(ctx, stored, q, yield)
			return
		}
		n := 0
		for e, err := range c.m.store.History(ctx, stored) {
			if err != nil {
				yield(Message{}, err)
				return
			}
			if !c.shows(&e, q.All) {
				continue
			}
			if !yield(c.message(&e), nil) {
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
func (c *conversation) newest(ctx context.Context, stored eventlog.Query, q Query, yield func(Message, error) bool) {
	var found []Message
	stored.Reverse = true
	for e, err := range c.m.store.History(ctx, stored) {
		if err != nil {
			yield(Message{}, err)
			return
		}
		if c.shows(&e, q.All) {
			found = append(found, c.message(&e))
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

func (c *conversation) shows(e *eventlog.Entry, all bool) bool {
	return all || spoken(&e.Event) && !c.m.ignores(e.Event.Author)
}

// query finds the places of the ids in q.
func (c *conversation) query(q Query) (stored eventlog.Query, err error) {
	if err := c.m.alive(); err != nil {
		return stored, err
	}
	stored.Log = c.log
	if stored.Before, err = c.place(q.Before); err != nil {
		return stored, err
	}
	stored.After, err = c.place(q.After)
	return stored, err
}

func (c *conversation) place(id *ID) (*eventlog.Position, error) {
	if id == nil {
		return nil, nil
	}
	e, ok, err := c.m.store.Get(*id)
	if err != nil {
		return nil, err
	}
	if !ok || e.Event.Log != c.log {
		return nil, ErrNoMessage.Withf("there is no message %.12s… in %s", id, c.of.title())
	}
	at := e.Position()
	return &at, nil
}
