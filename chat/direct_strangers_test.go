package chat_test

import (
	"bufio"
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// One with whom there is no chat asks for its log, or opens it and says nothing:
// nothing runs for him afterwards, and he can still begin a chat.
func TestAStrangerWhoSaysNothingLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 2, nodetest.Config{})
		evil, victim := p.Nodes[2], p.Nodes[0]
		ours := event.DirectLog(victim.Network().ID, authorOf(t, evil.ID()), authorOf(t, victim.ID()))
		for _, purpose := range []string{"fetch", "sync"} {
			req := append([]byte{0x0a, 32}, ours[:]...)
			if purpose == "fetch" {
				req = append(append(req, 0x12, 32), bytes.Repeat([]byte{7}, 32)...)
			}
			c, in := whisper(t, evil, victim.ID(), purpose)
			if err := wire.WriteFrame(c, req); err != nil {
				t.Fatal(err)
			}
			if got, err := wire.ReadFrame(in, 1<<10); err != nil || !bytes.Equal(got, []byte{1}) {
				t.Errorf("%s: %v, %v", purpose, got, err)
			}
			if n := p.gauge(0, "parley_direct_pairs"); n != 0 {
				t.Errorf("%d chats run after %s", n, purpose)
			}
		}
		open := func() *bufio.Reader {
			c, in := whisper(t, evil, victim.ID(), "chat")
			if err := wire.WriteFrame(c, frame(1, make([]byte, 120))); err != nil {
				t.Fatal(err)
			}
			return in
		}
		began := time.Now()
		in := open()
		time.Sleep(20 * time.Second)
		if n := p.gauge(0, "parley_direct_streams"); n != 1 {
			t.Errorf("%d streams while he may say something", n)
		}
		ended(t, in)
		if held := time.Since(began); held > 35*time.Second {
			t.Errorf("he was heard for %v", held)
		}
		time.Sleep(time.Second)
		if n := p.gauge(0, "parley_direct_pairs"); n != 0 {
			t.Errorf("%d chats run", n)
		}
		c, _ := whisper(t, evil, victim.ID(), "chat")
		for _, f := range [][]byte{frame(1, make([]byte, 120)), frame(2, sealFor(t, evil, ours, "hello").Payload())} {
			if err := wire.WriteFrame(c, f); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		if got := told(t, p.ms[0], evil.ID()); len(got) != 1 {
			t.Errorf("%d messages of him", len(got))
		}
		if n := p.gauge(0, "parley_direct_streams"); n != 1 {
			t.Errorf("%d streams of a chat", n)
		}
		if _, err := p.ms[0].Direct(evil.ID()).Send(t.Context(), chat.Text("hello")); err != nil {
			t.Error(err)
		}
	})
}
