package chat_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/nodetest"
)

// spec: 07-direct M5
func TestADirectStreamForNothingKnownIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 2, 1, nodetest.Config{})
		for _, purpose := range []string{"gossip", "", "chat ", "chat of seventeen"} {
			_, in := whisper(t, p.Nodes[1], p.Nodes[0].ID(), purpose)
			if b, err := wire.ReadFrame(in, 1<<20); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("%q: %x, %v", purpose, b, err)
			}
		}
	})
}

// Who opens a stream and does not go on with it holds it for ten seconds.
//
// spec: 07-direct M4
func TestASilentDirectStreamIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 2, 1, nodetest.Config{})
		n := p.Nodes[1]
		s, err := n.Host().NewStream(t.Context(), p.Nodes[0].ID(), protocol.ID("/parley/"+n.Network().Tag+"/direct/1.0.0"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte{0}); err != nil { // the first byte of a handshake
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = s.Read(make([]byte, 1))
		if took := time.Since(begin).Round(time.Second); !errors.Is(err, network.ErrReset) || took != 10*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Later versions may send more than this one knows: it goes on with what it does know.
//
// spec: 07-direct M3, M11, M13
func TestWhatADirectStreamDoesNotKnowIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 2, 1, nodetest.Config{})
		other, victim := p.Nodes[1], p.Nodes[0]
		log := event.DirectLog(victim.Network().ID, authorOf(t, other.ID()), authorOf(t, victim.ID()))
		batch := sealFor(t, other, log, "understood")
		later := bytes.Replace(batch.Payload(), []byte{1 << 3, 0x80, 0x02}, []byte{1 << 3, 0x80, 0x04}, 1)
		if _, err := event.Decode(bytes.Clone(later)); !errors.Is(err, event.ErrVersion) {
			t.Fatal(err)
		}
		c, _ := whisper(t, other, victim.ID(), "chat")
		for _, f := range [][]byte{
			frame(1, make([]byte, 120)), frame(4, []byte{2}), frame(4, []byte{127, 1}), frame(4, []byte{255}, make([]byte, 1024)),
			frame(2, later), frame(2, batch.Payload()),
		} {
			if err := wire.WriteFrame(c, f); err != nil {
				t.Fatal(err)
			}
		}
		p.Wait(5*time.Second, "what it does know is stored", func() error {
			if got := texts(told(t, p.ms[0], other.ID())); !slices.Equal(got, []string{"understood"}) {
				return fmt.Errorf("%q", got)
			}
			return nil
		})
	})
}
