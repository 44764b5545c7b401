package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/wire"
)

// hall is a room in memory: one who sends, and members who store what comes
// after a time of their own. It is the sender's way.
type hall struct {
	t       *testing.T
	sender  *Log
	author  *author
	ctx     context.Context
	members []peer.ID
	stores  map[peer.ID]*hallMember
	opened  atomic.Int64 // streams
	refuse  bool
}

type hallMember struct {
	l     *Log
	takes func(n int) time.Duration // how long the n-th batch takes it; negative: it stops
	queue chan *event.Batch
	most  atomic.Int64 // batches that waited at once
}

// sink is a store that keeps of events how far they go, and nothing else.
type sink struct{ *memory }

func (s sink) AppendWith(_ context.Context, b *event.Batch, _ bool, _ ...eventlog.Mark) (eventlog.Appended, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := &b.Events[len(b.Events)-1]
	s.authors[last.Author] = max(s.authors[last.Author], last.Seq)
	return eventlog.Appended{New: slices.Repeat([]bool{true}, len(b.Events))}, nil
}

func (s sink) AppendAll(ctx context.Context, batches []*event.Batch, durable bool) (res []eventlog.Appended, errs []error) {
	for _, b := range batches {
		r, err := s.AppendWith(ctx, b, durable)
		res, errs = append(res, r), append(errs, err)
	}
	return res, errs
}

func newHall(t *testing.T, takes ...func(n int) time.Duration) *hall {
	ctx, cancel := context.WithCancel(t.Context())
	h := &hall{t: t, author: newAuthor(1), ctx: ctx, stores: make(map[peer.ID]*hallMember)}
	h.sender = unjoined(t, sink{newMemory()})
	h.sender.way, h.sender.ctx, h.sender.stopped = h, ctx, make(chan struct{})
	h.sender.drafts = make(chan *Pending, maxDrafts)
	h.sender.s.cfg.Author, h.sender.s.cfg.Sign = h.author.id, h.author.sign
	for i, d := range takes {
		p := peer.ID(fmt.Sprint("member", i))
		m := &hallMember{l: unjoined(t, sink{newMemory()}), takes: d, queue: make(chan *event.Batch, 1<<16)}
		m.l.ctx = ctx
		m.l.s.logs = map[event.LogID]*Log{testLog: m.l}
		m.l.s.server = newServer(m.l.s)
		m.l.s.log = m.l.log
		h.members, h.stores[p] = append(h.members, p), m
		go h.take(p, m) // ends with ctx, as all here; the bubble waits for it
	}
	h.sender.wg.Go(h.sender.send)
	t.Cleanup(func() {
		cancel()
		h.sender.wg.Wait()
		for _, m := range h.stores {
			m.l.s.server.close()
		}
	})
	return h
}

func (h *hall) take(p peer.ID, m *hallMember) {
	for n := 0; ; n++ {
		select {
		case b := <-m.queue:
			m.most.Store(max(m.most.Load(), int64(len(m.queue)+1)))
			d := m.takes(n)
			if d < 0 {
				return
			}
			if !pause(h.ctx, d) {
				return
			}
			m.l.appendAll([]arrival{{b, p}})
		case <-h.ctx.Done():
			return
		}
	}
}

func (h *hall) Publish(_ context.Context, b *event.Batch) error {
	for _, m := range h.stores {
		m.queue <- b
	}
	return nil
}

func (h *hall) Peers() []peer.ID { return append([]peer.ID(nil), h.members...) }

func (h *hall) Open(_ context.Context, p peer.ID, purpose string) (Stream, error) {
	h.opened.Add(1)
	if h.refuse {
		return nil, errors.New("protocols not supported")
	}
	near, far := net.Pipe()
	go h.stores[p].l.s.server.handle(pipe{far}, wire.PeerID(h.author.id), purpose, event.LogID{})
	return pipe{near}, nil
}

// flood sends as much as goes for a time and returns how many events were sent.
func (h *hall) flood(d time.Duration) (n int) {
	ctx, cancel := context.WithTimeout(h.ctx, d)
	defer cancel()
	for {
		if _, err := h.sender.Submit(ctx, Draft{Kind: event.KindMessage, Payload: []byte("again")}); err != nil {
			return n
		}
		n++
	}
}

func every(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

func in(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }
