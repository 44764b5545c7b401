package admission

import (
	"bytes"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/x/rate"

	"github.com/parley-chat/parley/internal/testnet"
)

// dialHello opens a hello stream to a.
func dialHello(t *testing.T, from host.Host, a *side) network.Stream {
	t.Helper()
	connect(t, from, a.host)
	s, err := from.NewStream(t.Context(), a.host.ID(), ProtocolID(tag))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spec: 02-hello M4
func TestAttacksOnTheHandshake(t *testing.T) {
	for name, c := range map[string]struct {
		attack func(network.Stream)
		reason string
	}{
		"garbage":      {func(s network.Stream) { _, _ = s.Write(append([]byte{64}, bytes.Repeat([]byte{0xa5}, 64)...)) }, "form"},
		"oversized":    {func(s network.Stream) { _, _ = s.Write(append([]byte{0xff, 0xff, 0xff, 0x7f}, make([]byte, 9000)...)) }, "too_large"},
		"empty":        {func(s network.Stream) { _, _ = s.Write([]byte{0}) }, "form"},
		"half-open":    {func(s network.Stream) { _, _ = s.Write([]byte{64, 1, 2}); _ = s.CloseWrite() }, "half_open"},
		"reset":        {func(s network.Stream) { _, _ = s.Write([]byte{64}); time.Sleep(100 * time.Millisecond); _ = s.Reset() }, "half_open"},
		"slow":         {func(s network.Stream) { _, _ = s.Write([]byte{64}) }, "half_open"},
		"endless size": {func(s network.Stream) { _, _ = s.Write(bytes.Repeat([]byte{0xff}, 20)) }, "half_open"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, net *testnet.Net) {
				a, attacker := newSide(t, net, 0), newHost(t, net, 1)
				c.attack(dialHello(t, attacker, a))
				time.Sleep(exchangeTime + time.Second)
				if a.gate.Admitted(attacker.ID()) {
					t.Fatal("admitted")
				}
				if a.count(c.reason) == 0 {
					t.Errorf("counted %v, want %s", a.results, c.reason)
				}
				b := newSide(t, net, 2)
				connect(t, b.host, a.host)
				time.Sleep(time.Second)
				if !admitted(a, b) {
					t.Error("a member is not admitted afterwards")
				}
			})
		})
	}
}

// An attacker who repeats a member's words, or ours, proves nothing: nonces are
// fresh and proofs name both peers and their roles.
func TestReplayedAndReflectedWordsAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, b := newSide(t, net, 0), newSide(t, net, 1)
		attacker := newHost(t, net, 2)

		// The attacker relays between two members, each of which he tells that
		// he is the other.
		attacker.SetStreamHandler(ProtocolID(tag), func(in network.Stream) {
			target := b
			if in.Conn().RemotePeer() == b.host.ID() {
				target = a
			}
			out := dialHello(t, attacker, target)
			go pipe(in, out)
			pipe(out, in)
		})
		connect(t, attacker, a.host)
		connect(t, attacker, b.host)
		time.Sleep(30 * time.Second)
		if a.gate.Admitted(attacker.ID()) || b.gate.Admitted(attacker.ID()) {
			t.Fatal("the relaying attacker is admitted")
		}
		if a.count("proof")+b.count("proof") == 0 {
			t.Errorf("counted %v and %v", a.results, b.results)
		}

		// The attacker sends a's own words back to it.
		mirror := newHost(t, net, 3)
		mirror.SetStreamHandler(ProtocolID(tag), func(in network.Stream) { pipe(in, in) })
		connect(t, mirror, a.host)
		time.Sleep(5 * time.Second)
		if a.gate.Admitted(mirror.ID()) || a.count("reflected") == 0 {
			t.Errorf("reflected: counted %v", a.results)
		}
	})
}

func pipe(from, to network.Stream) {
	buf := make([]byte, 2048)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.CloseWrite()
			return
		}
	}
}

// An admitted peer that sends broken words keeps its place: its admission
// stands, and the words admit nobody else.
//
// spec: 02-hello M21
func TestAnAdmittedPeerIsNotTouchedByAFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, b := newSide(t, net, 0), newSide(t, net, 1)
		connect(t, b.host, a.host)
		time.Sleep(time.Second)
		s, err := b.host.NewStream(t.Context(), a.host.ID(), ProtocolID(tag))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write([]byte{3, 1, 2, 3})
		time.Sleep(5 * time.Second)
		if a.count("form") != 1 {
			t.Errorf("counted %v", a.results)
		}
		if !admitted(a, b) {
			t.Error("the admission ended")
		}
	})
}

// One address may be a whole classroom, and one of them a nuisance.
func TestStrangersCannotLockOutWhoWasAdmitted(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		// All addresses together may make three handshakes.
		few := func(c *Config) { c.Rate = &rate.Limiter{GlobalLimit: rate.Limit{RPS: 1e-9, Burst: 3}} }
		a, b := newSide(t, net, 0, few), newSide(t, net, 1)
		connect(t, b.host, a.host)
		time.Sleep(time.Second)
		attacker := newHost(t, net, 2)
		for range 10 {
			s := dialHello(t, attacker, a)
			_, _ = s.Write([]byte{0xff, 0xff, 0x7f})
			time.Sleep(time.Second)
		}
		if a.count("limited") == 0 {
			t.Fatalf("counted %v: the attack did not use the limit up", a.results)
		}
		_ = attacker.Close()
		_ = b.host.Network().ClosePeer(a.host.ID())
		time.Sleep(time.Second)
		before := a.count("limited")
		connect(t, b.host, a.host)
		time.Sleep(5 * time.Second)
		if !admitted(a, b) || a.count("limited") != before {
			t.Error("the member met the limit that strangers used up")
		}
	})
}

// Strangers with many identities hold every place where handshakes are
// answered. We greet who connects, so a member comes in all the same.
func TestAFloodOfHandshakesKeepsNoMemberOut(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a := newSide(t, net, 0)
		for i := range maxAtOnce/maxAtOnceEach + 1 {
			attacker := newHost(t, net, 10+i)
			attacker.SetStreamHandler(ProtocolID(tag), func(network.Stream) {}) // not to be turned away
			for range maxAtOnceEach {
				_, _ = dialHello(t, attacker, a).Write([]byte{64})
			}
		}
		time.Sleep(time.Second)
		if a.count("limited") == 0 {
			t.Fatalf("counted %v: the flood is too small", a.results)
		}
		b := newSide(t, net, 1)
		connect(t, b.host, a.host)
		time.Sleep(2 * time.Second)
		if !admitted(a, b) {
			t.Error("the member is kept out")
		}
	})
}

func TestHandshakesAtOnceAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, attacker := newSide(t, net, 0), newHost(t, net, 1)
		for range 3 * maxAtOnceEach {
			_, _ = dialHello(t, attacker, a).Write([]byte{64})
		}
		time.Sleep(time.Second)
		if got := a.count("limited"); got != 2*maxAtOnceEach {
			t.Errorf("%d refused, want %d", got, 2*maxAtOnceEach)
		}
	})
}
