package stream

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// fakeHost hands streams to the handler; fakeStream notes how it ended.
type fakeHost struct {
	host.Host
	handler network.StreamHandler
	gone    atomic.Bool // the member is in the network no more
}

func (h *fakeHost) SetStreamHandler(_ protocol.ID, f network.StreamHandler) { h.handler = f }
func (h *fakeHost) RemoveStreamHandler(protocol.ID)                         { h.handler = nil }

type fakeStream struct {
	network.Stream
	conn          fakeConn
	closed, reset int
}

func (s *fakeStream) Conn() network.Conn { return s.conn }
func (s *fakeStream) Close() error       { s.closed++; return nil }
func (s *fakeStream) CloseRead() error   { return nil }
func (s *fakeStream) Reset() error       { s.reset++; return nil }

type fakeConn struct {
	network.Conn
	peer peer.ID
	addr string
}

func (c fakeConn) RemotePeer() peer.ID           { return c.peer }
func (c fakeConn) RemoteMultiaddr() ma.Multiaddr { return ma.StringCast(c.addr) }

func open(h *fakeHost, p peer.ID, addr string) *fakeStream {
	s := &fakeStream{conn: fakeConn{peer: p, addr: addr}}
	go h.handler(s)
	synctest.Wait()
	return s
}

func listen(h *fakeHost) *Listener {
	return Listen(h, "/x", Limits{
		Each: 2, Site: 3, All: 5, Life: time.Minute, Known: func(p peer.ID) bool { return p == "member" }, Spare: func(peer.ID) func() { return func() {} },
		Admitted: func(p peer.ID) bool { return p == "member" && !h.gone.Load() },
	})
}

const (
	here      = "/ip4/192.0.2.1/tcp/1"
	elsewhere = "/ip4/192.0.2.2/tcp/1"
)

// Peer IDs cost nothing: strangers of one address share its places, all strangers
// theirs, and members have their own.
func TestStrangersTakeNoPlacesOfMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{}
		l := listen(h)
		for i, test := range []struct {
			peer  peer.ID
			addr  string
			taken bool
		}{
			{"a", here, true}, {"a", here, true}, {"a", here, false}, // of one peer
			{"b", here, true}, {"c", here, false}, // of one address
			{"d", elsewhere, true}, {"d", elsewhere, true}, {"e", "/ip4/192.0.2.3/tcp/1", false}, // of all
			{"member", here, true}, {"member", here, true}, {"member", here, false},
		} {
			if s := open(h, test.peer, test.addr); s.reset == 0 != test.taken {
				t.Errorf("stream %d: reset %d times", i, s.reset)
			}
		}
		_ = l.Close()
	})
}

// Nobody accepts: the streams and the goroutines that hold them end with their
// life, and their places are there again.
func TestStreamsThatNobodyAcceptsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{}
		l := listen(h)
		a, b := open(h, "a", here), open(h, "a", here)
		time.Sleep(time.Minute)
		synctest.Wait()
		if a.closed == 0 || b.closed == 0 {
			t.Errorf("closed %d and %d times", a.closed, b.closed)
		}
		c := open(h, "a", here)
		if c.reset != 0 {
			t.Error("the places are not free")
		}
		if conn, err := l.Accept(); err != nil || conn.(*counted).Stream != network.Stream(c) { // and not one that has ended
			t.Errorf("accepted %v, %v", conn, err)
		} else {
			_ = conn.Close()
		}
		_ = l.Close()
	})
}

// A peer that opens and holds is ended, also when its stream was accepted.
func TestAStreamThatIsHeldEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{}
		l := listen(h)
		s := open(h, "a", here)
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.closed == 0 {
			t.Error("held for ever")
		}
		_ = l.Close()
	})
}

// Close ends what waits, and Accept.
func TestCloseEndsWaitingStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{}
		l := listen(h)
		s := open(h, "a", here)
		_, _ = l.Close(), l.Close()
		synctest.Wait()
		if s.closed == 0 || h.handler != nil {
			t.Errorf("closed %d times, handler gone %v", s.closed, h.handler == nil)
		}
		if _, err := l.Accept(); err == nil {
			t.Error("accepts after Close")
		}
	})
}

// A stream of who is in the network lives on, one minute after the other, until its
// peer is in it no more.
func TestStreamsOfMembersLiveOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{}
		l := listen(h)
		s := open(h, "member", here)
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if s.closed != 0 {
			t.Error("ended all the same")
		}
		h.gone.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.closed == 0 {
			t.Error("lives on without its peer")
		}
		_ = l.Close()
	})
}
