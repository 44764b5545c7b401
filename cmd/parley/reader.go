package main

import (
	"context"
	"sync"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// reader tells a node which messages of direct chats a person was shown. What
// is shown while it tells goes along with the next: one call for many. A
// message that it cannot tell of is told of with the next, or shows as unread.
type reader struct {
	c    *client.Client
	wake chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	newest map[string]string // peer ID → id of the newest message
	ended  bool
}

func newReader(ctx context.Context, c *client.Client) *reader {
	r := &reader{c: c, wake: make(chan struct{}, 1), newest: map[string]string{}}
	r.done.Go(func() { r.run(ctx) })
	return r
}

// message says that a message was shown.
func (r *reader) message(m *v1.Message) {
	if m.GetDirect() == "" || m.GetSelf() {
		return
	}
	r.mu.Lock()
	r.newest[m.GetDirect()] = m.GetId()
	r.mu.Unlock()
	r.look()
}

func (r *reader) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run ends when close was called and everything is told, or ctx ends.
func (r *reader) run(ctx context.Context) {
	for {
		r.mu.Lock()
		newest, ended := r.newest, r.ended
		r.newest = map[string]string{}
		r.mu.Unlock()
		for direct, id := range newest {
			_, _ = r.c.MarkRead(ctx, &v1.MarkReadRequest{Direct: direct, Id: id})
		}
		if ended {
			if len(newest) == 0 {
				return
			}
			continue
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

// close waits until what was shown is told.
func (r *reader) close() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.look()
	r.done.Wait()
}
