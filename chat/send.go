package chat

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
)

// underWay is how many messages of one SendAll may be under way.
const underWay = 2048

// encoded gives the errors of encoding their code.
func encoded(payload []byte, err error) ([]byte, error) {
	switch {
	case errors.Is(err, event.ErrTooLarge):
		return nil, ErrTooLong
	case err != nil:
		return nil, ErrContent.With(err)
	default:
		return payload, nil
	}
}

// submit queues a message.
func (c *conversation) submit(ctx context.Context, content Content) (*delivery.Pending, error) {
	if err := c.m.alive(); err != nil {
		return nil, err
	}
	if err := c.of.open(); err != nil {
		return nil, err
	}
	if c.m.registry.isRevoked(c.m.self) {
		return nil, ErrRevoked
	}
	if len(content.key) > MaxKey {
		return nil, ErrKey
	}
	payload, err := content.encode()
	if err != nil {
		return nil, err
	}
	rep, err := c.of.writer()
	if err != nil {
		return nil, err
	}
	p, err := rep.Submit(ctx, delivery.Draft{Kind: event.KindMessage, Payload: payload, Key: content.key})
	if err != nil {
		return nil, c.m.stopped(err)
	}
	return p, nil
}

// Send writes a message. When it returns without error the event is safe on
// disk; how far it has come is told by Updates. It waits while 2,048 messages
// of the room or chat are under way. Errors: ErrNotJoined, ErrPeer,
// ErrDirects, ErrTooLong, ErrContent, ErrType, ErrText, ErrClosed, store errors such as a full disk, and ctx's, after
// which the message may still be sent.
func (c *conversation) Send(ctx context.Context, content Content) (ID, error) {
	p, err := c.submit(ctx, content)
	return c.wait(ctx, p, err)
}

func (c *conversation) wait(ctx context.Context, p *delivery.Pending, err error) (ID, error) {
	if err != nil {
		return ID{}, err
	}
	id, err := p.Wait(ctx)
	if err != nil {
		return ID{}, c.m.stopped(err)
	}
	return id, nil
}

// SendAll sends contents with many under way (2,048) and yields their ids in
// the order of contents, each when it is safe on disk. One that cannot be sent
// yields its error, the others go on; the end of ctx ends it all. contents is
// ranged over by a goroutine of SendAll's, which is waited for when the loop
// is left: it must return when ctx is done.
func (c *conversation) SendAll(ctx context.Context, contents iter.Seq[Content]) iter.Seq2[ID, error] {
	return func(yield func(ID, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		sent := make(chan result, underWay)
		wg.Go(func() { c.submitAll(inner, contents, sent) })
		for s := range sent {
			id, err := c.wait(inner, s.pending, s.err)
			if !yield(id, err) || ctx.Err() != nil {
				return
			}
		}
	}
}

// result is a message under way, or why it is not.
type result struct {
	pending *delivery.Pending
	err     error
}

func (c *conversation) submitAll(ctx context.Context, contents iter.Seq[Content], sent chan<- result) {
	defer close(sent)
	for content := range contents {
		p, err := c.submit(ctx, content)
		select {
		case sent <- result{p, err}:
		case <-ctx.Done():
			return
		}
	}
}
