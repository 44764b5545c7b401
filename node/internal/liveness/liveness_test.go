package liveness

import (
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/parley-chat/parley/internal/testnet"
)

// pair is a monitored host connected to a plain one.
type pair struct {
	net     *testnet.Net
	a, b    host.Host
	monitor *Monitor
	dead    atomic.Int32
}

func inPair(t *testing.T, cfg testnet.Config, servePing bool, f func(t *testing.T, p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pair{net: testnet.New(cfg)}
		t.Cleanup(p.net.Close)
		t.Cleanup(func() { time.Sleep(time.Second) })
		p.a, p.b = newHost(t, p.net, 0, false), newHost(t, p.net, 1, servePing)
		p.monitor = New(p.a, nil, func(network.Conn) { p.dead.Add(1) })
		t.Cleanup(func() { p.monitor.Close() })
		if err := p.b.Connect(t.Context(), peer.AddrInfo{ID: p.a.ID(), Addrs: p.a.Addrs()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		p.monitor.Connected(p.a.Network(), p.conn(t))
		f(t, p)
	})
}

func (p *pair) conn(t *testing.T) network.Conn {
	t.Helper()
	cs := p.a.Network().ConnsToPeer(p.b.ID())
	if len(cs) != 1 {
		t.Fatalf("%d connections", len(cs))
	}
	return cs[0]
}

func newHost(t *testing.T, net *testnet.Net, i int, servePing bool) host.Host {
	t.Helper()
	opts := append(net.Options(i), libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.Ping(servePing), libp2p.ResourceManager(&network.NullResourceManager{}))
	h, err := libp2p.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func TestRTTIsMeasured(t *testing.T) {
	inPair(t, testnet.Config{Latency: 20 * time.Millisecond}, true, func(t *testing.T, p *pair) {
		time.Sleep(time.Minute) // several streams of libp2p's own service
		if rtt := p.monitor.RTT(p.b.ID()); rtt < 40*time.Millisecond || rtt > 50*time.Millisecond {
			t.Errorf("%v, want a little over 40 ms", rtt)
		}
		if p.dead.Load() != 0 {
			t.Error("a living connection was closed")
		}
	})
}

// Whenever a peer dies, three seconds later it is known.
//
// spec: 01-network M15
func TestASilentConnectionIsClosedWithinThreeSeconds(t *testing.T) {
	for _, after := range []time.Duration{0, 100 * time.Millisecond, 799 * time.Millisecond, 29 * time.Second, 30 * time.Second, 31 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
				time.Sleep(after)
				p.net.Cut(1, true)
				time.Sleep(3 * time.Second)
				if p.dead.Load() != 1 || len(p.a.Network().Conns()) != 0 {
					t.Error("not closed")
				}
			})
		})
	}
}

// A peer that was heard just after a ping stream began to open, and then died,
// was given the time of a whole new stream when that one had run out.
func TestAPeerHeardLastWhileAStreamOpensIsNoticedInTime(t *testing.T) {
	for _, heard := range []time.Duration{10 * time.Millisecond, time.Second, 1900 * time.Millisecond} {
		t.Run(heard.String(), func(t *testing.T) {
			inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
				p.net.Cut(1, true) // before the first stream is open
				time.Sleep(heard)
				p.monitor.Heard(p.b.ID())
				time.Sleep(Timeout + 100*time.Millisecond)
				if p.dead.Load() != 1 {
					t.Error("not closed")
				}
			})
		})
	}
}

// At rest one side's pings are enough for both: the one that dialled. The other
// pings now and then, to know the round-trip time.
func TestOneSidePingsAConnectionAtRest(t *testing.T) {
	inPair(t, testnet.Config{}, false, func(t *testing.T, p *pair) {
		other := New(p.b, nil, nil)
		t.Cleanup(func() { other.Close() })
		other.Connected(p.b.Network(), p.b.Network().ConnsToPeer(p.a.ID())[0])
		dialled, dialling := count(p.monitor), count(other)
		time.Sleep(2 * time.Minute)
		if n := dialled(); n > 6 {
			t.Errorf("the dialled side pinged %d times", n)
		}
		if n := dialling(); n < 100 || n > 120 {
			t.Errorf("the side that dialled pinged %d times", n)
		}
	})
}

// Whoever is heard from anyway is not pinged.
func TestWhoIsHeardFromIsNotPinged(t *testing.T) {
	inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
		pings := count(p.monitor)
		for range 240 {
			time.Sleep(500 * time.Millisecond)
			p.monitor.Heard(p.b.ID())
		}
		if n := pings(); n > 6 {
			t.Errorf("pinged %d times in two minutes", n)
		}
		p.net.Cut(1, true)
		time.Sleep(3 * time.Second)
		if p.dead.Load() != 1 {
			t.Error("not closed when nothing was heard any more")
		}
	})
}

// count returns what tells how often a monitor of one connection has pinged since.
func count(m *Monitor) func() int {
	var n atomic.Int32
	m.wg.Go(func() {
		for last := (time.Time{}); m.pause(50 * time.Millisecond); {
			m.mu.Lock()
			for _, w := range m.conns {
				if w.pinged != last {
					last = w.pinged
					n.Add(1)
				}
			}
			m.mu.Unlock()
		}
	})
	return func() int { return int(n.Load()) }
}

// A fifth of all packets lost is no death.
func TestALossyConnectionLives(t *testing.T) {
	inPair(t, testnet.Config{Loss: 0.2}, true, func(t *testing.T, p *pair) {
		time.Sleep(3 * time.Minute)
		if p.dead.Load() != 0 {
			t.Error("closed")
		}
	})
}

// On a link full of data a pong is late, and so is every other answer; what
// comes in shows that the peer lives.
func TestALateConnectionThatIsHeardFromLives(t *testing.T) {
	inPair(t, testnet.Config{}, false, func(t *testing.T, p *pair) {
		p.b.SetStreamHandler(ProtocolID, func(s network.Stream) { _, _ = io.Copy(io.Discard, s) }) // swallows pings
		for range 30 {
			time.Sleep(time.Second)
			p.monitor.Heard(p.b.ID())
		}
		if p.dead.Load() != 0 {
			t.Fatal("closed though it was heard from")
		}
		time.Sleep(3 * time.Second)
		if p.dead.Load() != 1 {
			t.Error("not closed though nothing was heard any more")
		}
	})
}

// With two connections a sign of life from the peer does not say which.
func TestALivingConnectionDoesNotVouchForADeadOne(t *testing.T) {
	inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
		second := fakeConn{p.conn(t)}
		w := &watched{conn: second}
		p.monitor.mu.Lock()
		p.monitor.peers[p.b.ID()] = append(p.monitor.peers[p.b.ID()], w)
		p.monitor.mu.Unlock()
		p.monitor.Heard(p.b.ID())
		if !p.monitor.lastHeard(w).IsZero() {
			t.Error("vouched for")
		}
	})
}

type fakeConn struct{ network.Conn }

func TestAPeerThatDoesNotServePingIsNotClosed(t *testing.T) {
	inPair(t, testnet.Config{}, false, func(t *testing.T, p *pair) {
		time.Sleep(time.Minute)
		if p.dead.Load() != 0 {
			t.Error("closed")
		}
	})
}

// Other implementations ping us with libp2p's own client.
//
// spec: 01-network M15
func TestPingIsServed(t *testing.T) {
	inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
		n := 0
		for r := range ping.Ping(t.Context(), p.b, p.a.ID()) {
			if r.Error != nil {
				t.Fatal(r.Error)
			}
			if n++; n == 100 {
				return
			}
		}
	})
}

// Close waits for no answer, whatever a watch is about to do.
func TestCloseEndsTheWatch(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 15 * time.Millisecond, time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			inPair(t, testnet.Config{}, true, func(t *testing.T, p *pair) {
				time.Sleep(after)
				begin := time.Now()
				_ = p.monitor.Close()
				if took := time.Since(begin); took > 0 {
					t.Errorf("took %v", took)
				}
				if p.monitor.RTT(p.b.ID()) != 0 || len(p.monitor.conns) != 0 {
					t.Error("something is left")
				}
			})
		})
	}
}
