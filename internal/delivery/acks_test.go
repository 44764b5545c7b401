package delivery

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// spec: 04-delivery M24, M25
func TestAcknowledgementsComeAtAPace(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHall(t, every(time.Millisecond))
		near, err := h.Open(t.Context(), h.members[0], wire.ForAcks)
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		if err := wire.WriteFrame(near, ackRequest{testLog}.encode()); err != nil {
			t.Fatal(err)
		}
		stop := time.AfterFunc(5*time.Second, func() { _ = near.Close() })
		defer stop.Stop()
		go func() {
			for seq := range uint64(4000) {
				h.stores[h.members[0]].l.acks.stored(h.author.id, seq+1)
				time.Sleep(time.Millisecond)
			}
		}()
		in := bufio.NewReader(near)
		n, told, last := 0, ack(0), time.Now()
		b, err := readStatus(in, 1+maxAck)
		for ; err == nil; b, err = wire.ReadFrame(in, maxAck) {
			a, err := decodeAck(b)
			if err != nil || n > 0 && (a <= told || time.Since(last) < ackPace) {
				t.Errorf("%d after %d, %v after it: %v", a, told, time.Since(last), err)
			}
			n, told, last = n+1, a, time.Now()
		}
		if n < 190 || n > 202 || told != 4000 {
			t.Errorf("%d in 4 s, up to %d", n, told)
		}
	})
}

// spec: 04-delivery M24
func TestBadAcknowledgementsEndTheStream(t *testing.T) {
	ok := append([]byte{0}, ack(5).encode()...)
	for name, frames := range map[string][][]byte{
		"not served":     {{1}},
		"no status":      {{}},
		"falls":          {ok, ack(4).encode()},
		"stays":          {ok, ack(5).encode()},
		"empty":          {ok, {}},
		"unknown field":  {ok, {0x08, 6, 0x10, 1}},
		"long":           {ok, bytes.Repeat([]byte{1}, maxAck+1)},
		"not the varint": {ok, {0x08, 0x86, 0}},
	} {
		in(t, func(t *testing.T) {
			l, w := unjoined(t, newMemory()), unwatched(t)
			near, far := net.Pipe()
			l.way = given{stream: pipe{near}}
			go func() {
				_, _ = wire.ReadFrame(bufio.NewReader(far), maxAckRequest)
				for _, f := range frames {
					_ = wire.WriteFrame(far, f)
				}
			}()
			err := w.read(t.Context(), l, "liar")
			if err == nil || len(w.followers) > 0 {
				t.Errorf("%s: %v, %d follow", name, err, len(w.followers))
			}
			_ = far.Close()
		})
	}
}

// given is a way with one stream.
type given struct {
	Way
	stream Stream
}

func (g given) Open(context.Context, peer.ID, string) (Stream, error) { return g.stream, nil }

// Who says nothing is given up after some seconds, and who floods is read slowly.
// What is read is what the pace allows, and what lies in buffers.
func TestWhoFollowsBadlyCostsLittle(t *testing.T) {
	in(t, func(t *testing.T) {
		for _, floods := range []bool{false, true} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			l, w := unjoined(t, newMemory()), unwatched(t)
			near, far := net.Pipe()
			l.way = given{stream: pipe{near}}
			n := 0
			go func() {
				_, err := wire.ReadFrame(bufio.NewReader(far), maxAckRequest)
				if err == nil && floods {
					err = wire.WriteFrame(far, append([]byte{0}, ack(1).encode()...))
				}
				for ; err == nil && floods; n++ {
					err = wire.WriteFrame(far, ack(n+2).encode())
				}
			}()
			began := time.Now()
			_ = w.read(ctx, l, "liar")
			took := time.Since(began)
			synctest.Wait()
			if !floods && took != followWait || floods && (n < 500 || n > 1100) {
				t.Errorf("floods %v: %d read in %v", floods, n, took)
			}
			cancel()
			_ = far.Close()
		}
	})
}

// One author has one stream a log: a later one ends the earlier. One without news
// ends, and so do all with the log.
func TestAStreamOfAcknowledgementsEnds(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHall(t, every(time.Millisecond))
		m := h.stores[h.members[0]]
		open := func() (ended <-chan time.Duration) {
			near, err := h.Open(t.Context(), h.members[0], wire.ForAcks)
			if err != nil {
				t.Fatal(err)
			}
			if err := wire.WriteFrame(near, ackRequest{testLog}.encode()); err != nil {
				t.Fatal(err)
			}
			began, c := time.Now(), make(chan time.Duration, 1)
			go func() {
				_, _ = bufio.NewReader(near).ReadBytes(0xff)
				c <- time.Since(began)
			}()
			synctest.Wait()
			return c
		}
		first, second := open(), open()
		if d := <-first; d > ackPace {
			t.Errorf("the first ended after %v", d)
		}
		if d := <-second; d < ackIdle || d > ackIdle+time.Second {
			t.Errorf("the second ended after %v", d)
		}
		synctest.Wait()
		if len(m.l.acks.of) > 0 || m.l.s.server.acking.total > 0 {
			t.Error("something is left")
		}
	})
}

// spec: 04-delivery M22, M23
func TestAnAuthorIsToldOfHisOwnEventsAlone(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHall(t, every(time.Millisecond))
		l := h.stores[h.members[0]].l
		other := newAuthor(2)
		l.appendAll([]arrival{{other.write(t, testTime, 7), "other"}, {newAuthor(1).write(t, testTime, 3), "author"}})
		for name, test := range map[string]struct {
			author *author
			frame  []byte
			want   []byte // of the answer's first frame; nil: a reset
		}{
			"author":      {h.author, ackRequest{testLog}.encode(), []byte{0, 0x08, 3}},
			"other":       {other, ackRequest{testLog}.encode(), []byte{0, 0x08, 7}},
			"stranger":    {newAuthor(3), ackRequest{testLog}.encode(), []byte{0}},
			"another log": {h.author, ackRequest{event.LogID{9}}.encode(), []byte{byte(statusNoLog)}},
			"malformed":   {h.author, []byte{0x10, 1}, nil},
		} {
			near, far := net.Pipe()
			go l.s.server.handle(pipe{far}, wire.PeerID(test.author.id), wire.ForAcks, event.LogID{})
			if err := wire.WriteFrame(near, test.frame); err != nil {
				t.Fatal(err)
			}
			if got, err := wire.ReadFrame(bufio.NewReader(near), 64); !bytes.Equal(got, test.want) || (err == nil) != (test.want != nil) {
				t.Errorf("%s: %x, %v", name, got, err)
			}
			_ = near.Close()
		}
	})
}

func TestAcksAreServedInBounds(t *testing.T) {
	v := newServer(&Service{budgets: newBudgets()})
	for i := range servedOfOnePeer + 1 {
		busy, _ := v.enter(&v.acking, "one")
		if busy != (i == servedOfOnePeer) {
			t.Errorf("stream %d of one: busy %v", i, busy)
		}
	}
	if busy, _ := v.enter(&v.brief, "one"); busy {
		t.Error("acknowledgements take the place of syncs")
	}
	for i := range servedAtATime {
		busy, _ := v.enter(&v.acking, peer.ID(fmt.Sprint(i)))
		if busy != (i >= servedAtATime-servedOfOnePeer-1) {
			t.Errorf("stream %d: busy %v", i, busy)
		}
	}
}

// spec: 04-delivery M22
func FuzzDecodeAckRequest(f *testing.F) {
	f.Add(ackRequest{testLog}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeAckRequest(b)
		if err == nil && (!bytes.Equal(r.encode(), b) || len(b) > maxAckRequest) {
			t.Errorf("%x is read as %x", b, r.encode())
		}
	})
}

// spec: 04-delivery M24
func FuzzDecodeAck(f *testing.F) {
	f.Add(ack(0).encode())
	f.Add(ack(1 << 63).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAck(b)
		if err == nil && (!bytes.Equal(a.encode(), b) || len(b) > maxAck) {
			t.Errorf("%x is read as %d", b, a)
		}
	})
}
