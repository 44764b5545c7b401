package delivery

import (
	"bufio"
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// pipes is a way to one peer, which serves by id what its store has.
type pipes struct {
	t     *testing.T
	store *memory
	asked int
}

type pipe struct{ net.Conn }

func (p pipe) CloseWrite() error { return nil } // the server ends a reply himself
func (p pipe) Reset() error      { return p.Close() }

func (w *pipes) Publish(context.Context, *event.Batch) error { return nil }
func (w *pipes) Peers() []peer.ID                            { return []peer.ID{"server"} }

func (w *pipes) Open(context.Context, peer.ID, string) (Stream, error) {
	w.asked++
	near, far := net.Pipe()
	go func() { // ends with the pipe, which the asker closes
		defer far.Close()
		data, err := wire.ReadFrame(bufio.NewReader(far), maxRequest)
		if err != nil {
			return
		}
		r, err := decodeRequest(data)
		if err != nil {
			w.t.Error(err)
			return
		}
		payloads, _, err := collect(w.store, r)
		if err != nil {
			w.t.Error(err)
		}
		_ = reply(far, payloads)
	}()
	return pipe{near}, nil
}

// chainOf are batches of one event each, each after the one before.
func chainOf(t *testing.T, n int) (all []*event.Batch) {
	a := newAuthor(1)
	for i := range n {
		all = append(all, a.write(t, testTime.Add(time.Duration(i)*time.Second), 1))
	}
	return all
}

func idsOf(batches []*event.Batch) (ids []event.ID) {
	for _, b := range batches {
		ids = append(ids, tail(b))
	}
	return ids
}

// Whoever tells of a head is asked for what is missing before it, a bounded
// number of times; what comes stands in order.
func TestWhatPrecedesIsGathered(t *testing.T) {
	all := chainOf(t, 20)
	for _, c := range []struct {
		known, came int
		deep        bool
	}{{20 - 5, 5, false}, {20 - maxAsks, maxAsks, false}, {0, maxAsks, true}} {
		way := &pipes{t: t, store: newMemory(all...)}
		l := unjoined(t, newMemory(all[:c.known]...))
		l.way = way
		g, err := l.fetcher.gather(t.Context(), "server", []event.ID{tail(all[19])})
		if err != nil || g.deep != c.deep || way.asked != c.came {
			t.Errorf("%+v: asked %d times, deep %v, %v", c, way.asked, g.deep, err)
		}
		if got := idsOf(g.oldestFirst()); !slices.Equal(got, idsOf(all[20-c.came:])) {
			t.Errorf("%+v: %d came, or in another order", c, len(got))
		}
	}
}

// A gap that is too deep to be gathered is stored as far as it came, unless the
// log is about to be compared with the peer's: then all of it comes in order.
func TestADeepGapIsLeftToComparing(t *testing.T) {
	all := chainOf(t, 20)
	for _, due := range []bool{false, true} {
		own := newMemory()
		l := unjoined(t, own)
		l.way = &pipes{t: t, store: newMemory(all...)}
		if due {
			l.Sync("server")
		}
		if err := l.fetcher.fetch(t.Context(), "server", []event.ID{tail(all[19])}); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{false: maxAsks, true: 0}[due]; len(own.batches) != want {
			t.Errorf("due %v: %d are stored, not %d", due, len(own.batches), want)
		}
		if !l.syncer.busy("server") {
			t.Errorf("due %v: the log will not be compared", due)
		}
	}
}

// Order is that of parents, and not what an author says of the time.
func TestParentsStandBeforeTheirChildren(t *testing.T) {
	a, b := newAuthor(1), newAuthor(2)
	first := a.write(t, testTime.Add(time.Hour), 2) // its clock is ahead
	second := b.write(t, testTime, 1, tail(first))
	third := b.write(t, testTime.Add(time.Second), 2)
	g := newGathering()
	for _, b := range []*event.Batch{third, second, first} {
		_ = g.add(b)
	}
	if got := idsOf(g.oldestFirst()); !slices.Equal(got, idsOf([]*event.Batch{first, second, third})) {
		t.Error("another order")
	}
}

// One who makes us gather without end is left after a few requests.
func TestGatheringIsBoundedInBytes(t *testing.T) {
	a, m := newAuthor(1), newMemory()
	for range 30 {
		if _, err := m.Append(t.Context(), a.big(t, 120_000), false); err != nil {
			t.Fatal(err)
		}
	}
	var ids []event.ID
	for last := a.last; last != (event.ID{}); { // all of them, so that one reply is full
		b := m.batches[last]
		if ids = append(ids, last); len(b.Events[0].Parents) == 0 {
			break
		}
		last = b.Events[0].Parents[0]
	}
	l := unjoined(t, newMemory())
	l.way = &pipes{t: t, store: m}
	g, err := l.fetcher.gather(t.Context(), "server", ids)
	if err != nil || !g.deep || g.bytes < maxGathered || g.bytes > maxGathered+maxReplySize+event.MaxBatchBytes {
		t.Errorf("%d bytes, deep %v, %v", g.bytes, g.deep, err)
	}
}
