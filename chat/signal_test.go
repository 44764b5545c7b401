package chat_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/appsignal"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// ear collects what one listener hears until its context ends.
type ear struct {
	mu    sync.Mutex
	heard []chat.Signal
	err   error
	done  bool
}

type signals func(ctx context.Context, typ string) iter.Seq2[chat.Signal, error]

// listen listens from when it returns on until ctx ends.
func listen(ctx context.Context, of signals, typ string) *ear {
	e := new(ear)
	go func() {
		for s, err := range of(ctx, typ) {
			e.mu.Lock()
			if err == nil {
				e.heard = append(e.heard, s)
			}
			e.err = err
			e.mu.Unlock()
		}
		e.mu.Lock()
		e.done = true
		e.mu.Unlock()
	}()
	time.Sleep(5 * time.Second) // who listens is told, and the mesh stands
	return e
}

// said returns what was heard, as "nick: data".
func (e *ear) said() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, s := range e.heard {
		out = append(out, s.Nick+": "+string(s.Data))
	}
	return strings.Join(out, ", ")
}

// end returns the error it ended with, nil while it goes on.
func (e *ear) end() (error, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err, e.done
}

func TestSignalsOfApplicationsReachWhoListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 4, nodetest.Config{})
		rooms := make([]*chat.Room, 4)
		for i := range rooms {
			rooms[i] = p.join(i, "lobby")
		}
		p.join(3, "other")
		time.Sleep(10 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cursors, again, typing := listen(ctx, rooms[1].Signals, "cursor"), listen(ctx, rooms[1].Signals, "cursor"), listen(ctx, rooms[1].Signals, "typing")
		far := listen(ctx, rooms[2].Signals, "cursor")
		own := listen(ctx, rooms[0].Signals, "cursor")
		if err := rooms[0].Signal(ctx, "cursor", []byte("1,2")); err != nil {
			t.Fatal(err)
		}
		if err := rooms[3].Signal(ctx, "typing", nil); err != nil { // nobody listens there
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for _, e := range []*ear{cursors, again, far} {
			if got := e.said(); got != "nick0: 1,2" {
				t.Errorf("heard %q", got)
			}
		}
		if got := typing.said(); got != "nick3: " {
			t.Errorf("the other application heard %q", got)
		}
		if got := own.said(); got != "" {
			t.Errorf("the sender heard himself: %q", got)
		}
		s := cursors.heard[0]
		if s.Room != "lobby" || s.Author != p.ms[0].ID() || s.Type != "cursor" || s.Direct != "" {
			t.Errorf("%+v", s)
		}

		// Ignored peers are passed over, others go on.
		if err := p.ms[1].Ignore(ctx, p.ms[0].ID(), true); err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{0, 3} {
			if err := rooms[i].Signal(ctx, "cursor", []byte("3,4")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if got := cursors.said(); got != "nick0: 1,2, nick3: 3,4" {
			t.Errorf("heard %q", got)
		}

		// Nothing of it is stored: a restart knows messages alone.
		cancel()
		time.Sleep(time.Second)
		for _, e := range []*ear{cursors, typing, own} {
			if err, done := e.end(); err != nil || !done {
				t.Errorf("a listener whose context ended: %v, %v", err, done)
			}
		}
		if got := p.history(1, "lobby", chat.Query{}); len(got) != 0 {
			t.Errorf("signals are in the history: %v", got)
		}
	})
}

func TestListeningEndsWithTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		a, b := p.join(0, "lobby"), p.join(1, "lobby")
		e := listen(t.Context(), b.Signals, "typing")
		if err := p.ms[1].Leave(t.Context(), "lobby"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err, done := e.end(); !errors.Is(err, chat.ErrNotJoined) || !done {
			t.Errorf("the room was left: %v, %v", err, done)
		}
		if err := b.Signal(t.Context(), "typing", nil); !errors.Is(err, chat.ErrNotJoined) {
			t.Errorf("signal to a room that was left: %v", err)
		}
		p.join(1, "lobby")
		e = listen(t.Context(), b.Signals, "typing")
		if err := a.Signal(t.Context(), "typing", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := e.said(); got != "nick0: " {
			t.Errorf("joined again, heard %q", got)
		}
		if err := p.ms[1].Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err, done := e.end(); !errors.Is(err, chat.ErrClosed) || !done {
			t.Errorf("the messenger was closed: %v, %v", err, done)
		}
	})
}

// spec: 10-signals M1
func TestSignalsInADirectChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		ctx := t.Context()
		e := listen(ctx, p.direct(1, 0).Signals, "typing")
		third := listen(ctx, p.direct(2, 0).Signals, "typing")
		if err := p.direct(0, 1).Signal(ctx, "typing", []byte("x")); !errors.Is(err, chat.ErrAway) {
			t.Errorf("to one who was never written to: %v", err)
		}
		p.tell(0, 1, "hello")
		p.waitTold(time.Minute, 1, 0, "hello")
		if err := p.direct(0, 1).Signal(ctx, "typing", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := p.direct(0, 1).Signal(ctx, "cursor", []byte("y")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := e.said(); got != "nick0: x" {
			t.Errorf("heard %q", got)
		}
		if s := e.heard[0]; s.Direct != p.ms[0].ID() || s.Author != p.ms[0].ID() || s.Room != "" {
			t.Errorf("%+v", s)
		}
		if got := third.said(); got != "" {
			t.Errorf("a third heard %q", got)
		}
		if err := p.direct(0, 0).Signal(ctx, "typing", nil); err != nil {
			t.Errorf("to oneself: %v", err)
		}
		p.Cut(1, true)
		time.Sleep(time.Minute)
		for range 100 { // these take nothing from the pace
			if err := p.direct(0, 1).Signal(ctx, "typing", []byte("x")); !errors.Is(err, chat.ErrAway) {
				t.Fatalf("to one who is away: %v", err)
			}
		}
	})
}

func TestSignalsThatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		ctx, r := t.Context(), p.join(0, "lobby")
		for name, err := range map[string]error{
			"too long":     r.Signal(ctx, "x", make([]byte, chat.MaxSignal+1)),
			"without type": r.Signal(ctx, "", nil),
			"two words":    r.Signal(ctx, "two words", nil),
		} {
			if !errors.Is(err, chat.ErrSignal) {
				t.Errorf("%s: %v", name, err)
			}
		}
		var err error
		n := 0
		for ; err == nil; n++ {
			err = r.Signal(ctx, "x", nil)
		}
		if n != 41 || !errors.Is(err, chat.ErrOften) {
			t.Errorf("after %d: %v", n, err)
		}
	})
}

// A node that sends what it likes: nothing of it is heard but what is its own,
// and that at a bounded pace. Everybody else is heard all the same.
//
// spec: 10-signals M5
func TestHostileSignalsAreRefused(t *testing.T) {
	attack(t, func(t *testing.T, v *villain) {
		n := v.Nodes[2]
		topic, err := n.PubSub().Join(wire.SignalTopic(n.Network().Tag, v.log))
		if err != nil {
			t.Fatal(err)
		}
		defer topic.Close()
		rooms := []*chat.Room{v.join(0, "lobby"), v.join(1, "lobby")}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		e := listen(ctx, rooms[1].Signals, "x")
		victim, self := authorOf(t, v.ms[0].ID()), authorOf(t, n.ID())
		publish := func(s appsignal.Signal, log event.LogID, sign func([]byte) []byte) {
			s.Type, s.Time = "x", time.Now().UnixMilli()
			if err := topic.Publish(t.Context(), s.Encode(n.Network().ID, log, sign)); err != nil {
				t.Fatal(err)
			}
		}
		send := func(s appsignal.Signal, log event.LogID) { publish(s, log, n.Sign) }
		send(appsignal.Signal{Author: victim, Seq: 1 << 60, Data: []byte("in another's name")}, v.log)
		publish(appsignal.Signal{Author: victim, Seq: 1 << 59, Data: []byte("of another room")}, event.LogID{1}, v.Nodes[0].Sign)
		send(appsignal.Signal{Author: self, Seq: 2, Data: make([]byte, chat.MaxSignal+1)}, v.log)
		send(appsignal.Signal{Author: self, Seq: 3, Data: []byte("not in the room")}, v.log)
		time.Sleep(time.Second)
		const refused = "parley_appsignals_refused_total"
		for reason, want := range map[string]int{"signature": 2, "form": 1, "stranger": 1} {
			if got := v.metric(1, refused, reason); got != want {
				t.Errorf("%s: %d, want %d", reason, got, want)
			}
		}
		for i := range 5000 {
			send(appsignal.Signal{Author: self, Seq: uint64(10 + i)}, v.log)
		}
		time.Sleep(time.Second)
		if err := rooms[0].Signal(t.Context(), "x", []byte("good")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := e.said(); got != "nick0: good" {
			t.Errorf("heard %.200q", got)
		}
		if v.metric(1, refused, "budget") == 0 {
			t.Error("a flood cost its sender nothing")
		}
	})
}

// A member who floods is heard at his pace; who keeps to his is not disturbed.
//
// spec: 10-signals M8
func TestAFloodOfADirectChatsSignalsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 2, nodetest.Config{})
		n, to := p.Nodes[2], p.ms[0]
		c, _ := whisper(t, n, to.ID(), wire.ForChat)
		put := func(b []byte) error { return wire.WriteFrame(c, b) }
		log := event.DirectLog(n.Network().ID, authorOf(t, n.ID()), authorOf(t, to.ID()))
		if err := errors.Join(put(frame(1, make([]byte, 120))), put(frame(2, sealFor(t, n, log, "hello").Payload()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		e := listen(t.Context(), to.Direct(n.ID()).Signals, "x")
		if err := put(frame(4, []byte{128}, []byte{200, 'x'})); err != nil { // malformed
			t.Fatal(err)
		}
		for i := range 1000 {
			if put(frame(4, []byte{128}, appsignal.Frame("x", fmt.Append(nil, i)))) != nil {
				break
			}
		}
		time.Sleep(time.Second)
		if got := strings.Count(e.said(), ":"); got < 80 || got > 160 {
			t.Errorf("%d of a flood were heard", got)
		}
		p.tell(1, 0, "others go on")
		p.waitTold(time.Minute, 0, 1, "others go on")
	})
}
