package gate

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/parley-chat/parley/internal/testnet"
)

const proto = protocol.ID("/test/1.0.0")

// world is a gated host and a plain one, the stranger, in a bubble.
type world struct {
	net      *testnet.Net
	real     host.Host
	gate     *Gate
	stranger host.Host
	served   chan peer.ID // streams that reached the gated host's handler
}

func inWorld(t *testing.T, opts Options, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{net: testnet.New(testnet.Config{}), served: make(chan peer.ID, 100)}
		t.Cleanup(w.net.Close)
		t.Cleanup(func() { time.Sleep(time.Second) })
		w.real = newHost(t, w.net, 0)
		w.stranger = newHost(t, w.net, 1)
		var err error
		if w.gate, err = New(w.real, opts); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.gate.Close() })
		w.gate.Host().SetStreamHandler(proto, func(s network.Stream) {
			w.served <- s.Conn().RemotePeer()
			_ = s.Close()
		})
		f(t, w)
	})
}

func newHost(t *testing.T, net *testnet.Net, i int) host.Host {
	t.Helper()
	opts := append(net.Options(i), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	h, err := libp2p.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// connect connects the stranger and waits until both sides know.
func (w *world) connect(t *testing.T) {
	t.Helper()
	if err := w.stranger.Connect(t.Context(), peer.AddrInfo{ID: w.real.ID(), Addrs: w.real.Addrs()}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // identify on both sides
}

// call opens a stream from the stranger and reports whether it was served.
func (w *world) call(t *testing.T) bool {
	t.Helper()
	s, err := w.stranger.NewStream(t.Context(), w.real.ID(), proto)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	if _, err := s.Write([]byte("x")); err != nil {
		return false
	}
	_ = s.SetReadDeadline(time.Now().Add(time.Minute))
	_, err = s.Read(make([]byte, 1))
	return err != nil && err.Error() == "EOF"
}

// spec: 01-network M11
func TestAStrangerDoesNotExist(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		sub, err := w.gate.Host().EventBus().Subscribe([]any{
			new(event.EvtPeerConnectednessChanged), new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		w.connect(t)
		if w.call(t) || len(w.served) > 0 {
			t.Error("a stranger's stream was served")
		}
		id, net := w.stranger.ID(), w.gate.Host().Network()
		if net.Connectedness(id) != network.NotConnected || len(net.Peers())+len(net.Conns())+len(net.ConnsToPeer(id)) > 0 {
			t.Error("the view shows the stranger")
		}
		if _, err := w.gate.Host().NewStream(t.Context(), id, proto); !errors.Is(err, ErrNotAdmitted) {
			t.Errorf("NewStream: %v", err)
		}
		if err := w.gate.Host().Connect(t.Context(), peer.AddrInfo{ID: id}); !errors.Is(err, ErrNotAdmitted) {
			t.Errorf("Connect: %v", err)
		}
		if len(sub.Out()) > 0 {
			t.Errorf("the bus told of a stranger: %v", <-sub.Out())
		}
		if got := w.gate.Stats(); got.Refused != 1 {
			t.Errorf("refused %d streams, want 1", got.Refused)
		}
	})
}

// The protocols above give a peer up whose first stream is reset. So a stream
// that comes before its peer's admission waits for it.
//
// spec: 01-network M12
func TestAnEarlyStreamIsHeldUntilAdmission(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		done := make(chan bool)
		go func() { done <- w.call(t) }()
		time.Sleep(4 * time.Second)
		if len(w.served) > 0 {
			t.Fatal("served before admission")
		}
		if !w.gate.Admit(w.stranger.ID()) {
			t.Fatal("not admitted")
		}
		if !<-done || len(w.served) != 1 {
			t.Error("the stream was not served after admission")
		}
	})
}

// spec: 01-network M12
func TestEarlyStreamsAreHeldForFiveSeconds(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		begin := time.Now()
		if w.call(t) {
			t.Error("served without admission")
		}
		if took := time.Since(begin).Round(time.Second); took != 5*time.Second {
			t.Errorf("reset after %v", took)
		}
	})
}

func TestNewStreamWaitsForAdmission(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.stranger.SetStreamHandler(proto, func(s network.Stream) { _ = s.Close() })
		w.connect(t)
		begin := time.Now()
		time.AfterFunc(3*time.Second, func() { w.gate.Admit(w.stranger.ID()) })
		s, err := w.gate.Host().NewStream(t.Context(), w.stranger.ID(), proto)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Reset()
		if took := time.Since(begin); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("opened after %v", took)
		}
	})
}

func TestARefusalEndsTheWaits(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		begin := time.Now()
		time.AfterFunc(time.Second, func() { w.gate.Refuse(w.stranger.ID()) })
		if err := w.gate.Wait(t.Context(), w.stranger.ID(), time.Hour); !errors.Is(err, ErrNotAdmitted) {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("waited %v", took)
		}
	})
}

func TestHeldStreamsAreBounded(t *testing.T) {
	inWorld(t, Options{HoldPerPeer: 2}, func(t *testing.T, w *world) {
		w.connect(t)
		results := make(chan bool, 5)
		for range 5 {
			go func() { results <- w.call(t) }()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if got := w.gate.Stats(); got.Held != 2 || got.Refused != 3 {
			t.Errorf("%+v, want 2 held and 3 refused", got)
		}
		for range 5 {
			<-results
		}
	})
}

// Strangers must not use up the places where a peer that was admitted before
// waits for its next admission.
func TestStrangersCannotFillTheHoldAgainstKnownPeers(t *testing.T) {
	inWorld(t, Options{HoldTotal: 1}, func(t *testing.T, w *world) {
		second := newHost(t, w.net, 2)
		w.connect(t)
		w.gate.mu.Lock()
		w.gate.known[w.stranger.ID()] = true
		w.gate.mu.Unlock()
		if err := second.Connect(t.Context(), peer.AddrInfo{ID: w.real.ID(), Addrs: w.real.Addrs()}); err != nil {
			t.Fatal(err)
		}
		done := make(chan bool, 2)
		other := &world{real: w.real, stranger: second}
		go func() { done <- other.call(t) }() // takes the only place
		time.Sleep(time.Second)
		go func() { done <- w.call(t) }()
		time.Sleep(time.Second)
		w.gate.Admit(w.stranger.ID())
		if !<-done {
			t.Error("the known peer's stream was reset")
		}
		<-done
	})
}

func next[T any](t *testing.T, sub event.Subscription) T {
	t.Helper()
	for {
		select {
		case ev := <-sub.Out():
			if v, ok := ev.(T); ok {
				return v
			}
			t.Fatalf("got %#v", ev)
		case <-time.After(time.Minute):
			var zero T
			t.Fatalf("no %T", zero)
		}
	}
}

func TestAdmissionTellsConnectedThenIdentifiedThenGone(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.stranger.SetStreamHandler("/late/1.0.0", func(s network.Stream) { _ = s.Reset() })
		sub, err := w.gate.Host().EventBus().Subscribe([]any{
			new(event.EvtPeerConnectednessChanged), new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		w.connect(t)
		w.stranger.SetStreamHandler("/later/1.0.0", func(s network.Stream) { _ = s.Reset() })
		time.Sleep(5 * time.Second) // identify pushes it
		w.gate.Admit(w.stranger.ID())
		up := next[event.EvtPeerConnectednessChanged](t, sub)
		if up.Connectedness != network.Connected || up.Peer != w.stranger.ID() {
			t.Errorf("first %+v", up)
		}
		id := next[event.EvtPeerIdentificationCompleted](t, sub)
		if !slices.Contains(id.Protocols, "/later/1.0.0") {
			t.Errorf("the replayed identify event is outdated: %v", id.Protocols)
		}
		w.stranger.SetStreamHandler("/latest/1.0.0", func(s network.Stream) { _ = s.Reset() })
		changed := next[event.EvtPeerProtocolsUpdated](t, sub)
		if !slices.Contains(changed.Added, "/latest/1.0.0") || len(changed.Added) != 1 {
			t.Errorf("changed %+v", changed)
		}
		next[event.EvtPeerIdentificationCompleted](t, sub)
		_ = w.stranger.Network().ClosePeer(w.real.ID())
		down := next[event.EvtPeerConnectednessChanged](t, sub)
		if down.Connectedness != network.NotConnected {
			t.Errorf("last %+v", down)
		}
		if w.gate.Admitted(w.stranger.ID()) {
			t.Error("still admitted without a connection")
		}
	})
}

// A peer that goes and comes between two looks must be told as gone and come:
// everything it had open is lost.
func TestAFlapIsToldAsGoneAndCome(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		f := w.gate.Follow()
		defer f.Stop()
		w.connect(t)
		w.gate.Admit(w.stranger.ID())
		<-f.Wake()
		if got := f.Take(); len(got) != 1 || !got[0].Admitted {
			t.Fatalf("%+v", got)
		}
		_ = w.stranger.Network().ClosePeer(w.real.ID())
		time.Sleep(time.Second)
		w.connect(t)
		w.gate.Admit(w.stranger.ID())
		<-f.Wake()
		got := f.Take()
		if len(got) != 2 || got[0].Admitted || !got[1].Admitted {
			t.Errorf("%+v, want gone and admitted", got)
		}
	})
}

// An admission ends with the last connection, not with the first.
func TestSeveralConnectionsAreOneAdmission(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		w.gate.Admit(w.stranger.ID())
		first := w.real.Network().ConnsToPeer(w.stranger.ID())[0]
		second := fakeConn{first}
		w.gate.connected(second)
		w.gate.disconnected(first)
		if !w.gate.Admitted(w.stranger.ID()) {
			t.Error("the admission ended with the first of two connections")
		}
		w.gate.disconnected(second)
		if w.gate.Admitted(w.stranger.ID()) {
			t.Error("the admission outlived the last connection")
		}
	})
}

// GossipSub on a broken connection forgets what the peer subscribed to, and a
// peer that is still connected by another does not tell it again. So the first
// connection with streams that ends takes the others with it.
//
// spec: 01-network M14
func TestABrokenConnectionEndsTheAdmission(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		f := w.gate.Follow()
		defer f.Stop()
		w.connect(t)
		w.gate.Admit(w.stranger.ID())
		<-f.Wake()
		f.Take()
		if !w.call(t) {
			t.Fatal("not served")
		}
		other := w.real.Network().ConnsToPeer(w.stranger.ID())[0]
		broken := fakeConn{other}
		w.gate.connected(broken)
		w.gate.carries(broken)
		w.gate.disconnected(broken)
		if w.gate.Admitted(w.stranger.ID()) {
			t.Error("still admitted by the other connection")
		}
		time.Sleep(time.Second)
		if !other.IsClosed() {
			t.Error("the other connection was not closed")
		}
		<-f.Wake()
		if got := f.Take(); len(got) != 1 || got[0].Admitted {
			t.Errorf("%+v, want gone", got)
		}
	})
}

// fakeConn is another connection to the same peer.
type fakeConn struct{ network.Conn }

// A peer whose early stream had to be reset may have given us up. Admitting it
// on the old connection would leave it deaf for good, so it has to come anew.
//
// spec: 01-network M13
func TestAPeerThatMayBeDeafIsReconnected(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		w.call(t) // held for 5 s, then reset
		if w.gate.Admit(w.stranger.ID()) {
			t.Error("admitted on the old connection")
		}
		time.Sleep(time.Second)
		if w.gate.Connected(w.stranger.ID()) {
			t.Fatal("still connected")
		}
		w.connect(t)
		if !w.gate.Admit(w.stranger.ID()) || !w.call(t) {
			t.Error("not admitted on the new connection")
		}
	})
}

func TestReachabilityIsToldToLateSubscribers(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.gate.SetReachability(network.ReachabilityPublic)
		time.Sleep(time.Second)
		sub, err := w.gate.Host().EventBus().Subscribe(new(event.EvtLocalReachabilityChanged))
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		if ev := next[event.EvtLocalReachabilityChanged](t, sub); ev.Reachability != network.ReachabilityPublic {
			t.Errorf("%+v", ev)
		}
	})
}

// A subscriber that does not read must not keep the gate from admitting, nor
// the real host's bus from flowing.
func TestASlowSubscriberHoldsNobodyUp(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		sub, err := w.gate.Host().EventBus().Subscribe(new(event.EvtPeerConnectednessChanged))
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close() // which drains
		for range 40 {    // more than the subscription's buffer
			w.connect(t)
			if !w.gate.Admit(w.stranger.ID()) {
				t.Fatal("not admitted")
			}
			_ = w.stranger.Network().ClosePeer(w.real.ID())
			time.Sleep(time.Second)
		}
	})
}

func TestCloseEndsWaits(t *testing.T) {
	inWorld(t, Options{}, func(t *testing.T, w *world) {
		w.connect(t)
		got := make(chan error)
		go func() { got <- w.gate.Wait(context.Background(), w.stranger.ID(), time.Hour) }()
		synctest.Wait()
		_ = w.gate.Close()
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	})
}
