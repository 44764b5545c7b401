package gate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// The peer goes just after NewStream was let through, and comes again before
// the stream is opened: what is opened then is a stranger's.
func TestAStreamIsNotOpenedOnAStrangersConnection(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.stranger.SetStreamHandler(proto, func(s network.Stream) { _, _ = s.Read(make([]byte, 1)) })
		w.connect(t)
		w.gate.Admit(w.stranger.ID())
		w.gate.facade.Host = slowHost{w.real, func() {
			_ = w.stranger.Network().ClosePeer(w.real.ID())
			time.Sleep(time.Second)
			w.connect(t)
		}}
		if _, err := w.gate.Host().NewStream(t.Context(), w.stranger.ID(), proto); !errors.Is(err, ErrNotAdmitted) {
			t.Errorf("NewStream: %v", err)
		}
		w.gate.Admit(w.stranger.ID())
		w.gate.facade.Host = slowHost{w.real, func() {
			_ = w.stranger.Network().ClosePeer(w.real.ID())
			time.Sleep(time.Second)
		}}
		if _, err := w.gate.Host().NewStream(t.Context(), w.stranger.ID(), proto); err == nil {
			t.Error("a stranger was dialled for a stream")
		}
	})
}

// slowHost does something before it opens a stream.
type slowHost struct {
	host.Host
	before func()
}

func (h slowHost) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	h.before()
	return h.Host.NewStream(ctx, p, ids...)
}

// A connection may carry a stream before the gate is told of it: it counts as
// one that does.
func TestAStreamBeforeItsConnectionIsToldCounts(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		w.gate.Admit(w.stranger.ID())
		early := fakeConn{w.real.Network().ConnsToPeer(w.stranger.ID())[0]}
		if !w.gate.carries(early) {
			t.Error("the stream is a stranger's")
		}
		w.gate.connected(early)
		w.gate.disconnected(early)
		if w.gate.Admitted(w.stranger.ID()) {
			t.Error("the admission outlived a connection with streams")
		}
	})
}

// Two connections stand for a moment when two peers dial each other. A stream of
// the one that goes, opened just as it went, left GossipSub deaf for good: it
// forgot what the peer subscribes to, and the peer, who had noticed nothing, did
// not tell it again.
func TestAStreamOnAConnectionThatIsGoneEndsTheAdmission(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		w.gate.Admit(w.stranger.ID())
		other := w.real.Network().ConnsToPeer(w.stranger.ID())[0]
		gone := goneConn{other}
		w.gate.connected(gone)
		w.gate.disconnected(gone) // it carried nothing yet
		if !w.gate.Admitted(w.stranger.ID()) {
			t.Fatal("the admission ended with a connection that carried nothing")
		}
		if w.gate.carries(gone) || w.gate.Admitted(w.stranger.ID()) {
			t.Error("the admission outlived a connection with streams")
		}
		time.Sleep(time.Second)
		if !other.IsClosed() {
			t.Error("the other connection was not closed")
		}
	})
}

// goneConn is a connection that has ended.
type goneConn struct{ network.Conn }

func (goneConn) IsClosed() bool { return true }
