package chat

import (
	"context"

	"github.com/parley-chat/parley/internal/eventlog"
)

// maxRelayed is how many Relayed returns at most.
const maxRelayed = 1024

// Relayed is a message of somebody else that this node keeps and hands on.
type Relayed struct {
	ID   ID
	Size int // bytes of its content, as it is kept
}

// Relayed returns the messages of others in rooms that came after cursor, in order
// of arrival and at most 1,024, and the cursor to go on from. It waits until there is
// one. It is for who keeps account of what a node hands on without being told what is
// said and where; each is returned at least once, as in Updates. Errors: ErrClosed,
// ctx's, those of reading the store.
func (m *Messenger) Relayed(ctx context.Context, cursor uint64) ([]Relayed, uint64, error) {
	for {
		more := m.store.Changed()
		var list []Relayed
		for e, err := range m.store.Since(ctx, cursor) {
			if err != nil {
				return nil, cursor, err
			}
			cursor = e.Arrival
			if m.relays(&e) {
				list = append(list, Relayed{e.Event.ID, int(e.Event.ContentSize)})
			}
			if len(list) == maxRelayed {
				break
			}
		}
		if len(list) > 0 {
			return list, cursor, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, cursor, ctx.Err()
		case <-m.ctx.Done():
			return nil, cursor, ErrClosed
		}
	}
}

func (m *Messenger) relays(e *eventlog.Entry) bool {
	if e.Event.Author == m.self || !spoken(&e.Event) {
		return false
	}
	c := m.conversationOf(e.Event.Log)
	if c == nil {
		return false
	}
	_, room := c.of.(*Room)
	return room
}
