package chat_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// One reads and acknowledges nothing, another does not even read: the stream is
// given up after half a minute, and not before.
func TestOneWhoAcknowledgesNothingIsGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		reads bool
		size  int // of each of 20 messages; a stream takes 256 KiB that nobody reads
	}{
		"reads":         {true, 10},
		"does not read": {false, 40_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := gatherBut(t, 3, 2, nodetest.Config{})
				evil, victim := p.Nodes[2], p.Nodes[0]
				for range 20 {
					if _, err := p.ms[0].Direct(evil.ID()).Send(t.Context(), chat.Text(strings.Repeat("x", test.size))); err != nil {
						t.Fatal(err)
					}
				}
				c, in := whisper(t, evil, victim.ID(), "chat")
				if err := wire.WriteFrame(c, frame(1, make([]byte, 120))); err != nil {
					t.Fatal(err)
				}
				if test.reads {
					go ended(t, in) // ends with the stream, which the test waits for
				}
				time.Sleep(25 * time.Second)
				if n := p.gauge(0, "parley_direct_streams"); n != 1 {
					t.Errorf("%d streams after 25 s", n)
				}
				time.Sleep(20 * time.Second)
				if n := p.gauge(0, "parley_direct_streams"); n != 0 {
					t.Errorf("%d streams after 45 s", n)
				}
			})
		})
	}
}
