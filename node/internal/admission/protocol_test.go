package admission

import (
	"bufio"
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/wire"
)

// A peer that lost its memory of the admission, but not its connection, says
// hello again and is heard.
//
// spec: 02-hello M3
func TestAnAdmittedPeerIsAnsweredAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, b := newSide(t, net, 0), newSide(t, net, 1)
		connect(t, b.host, a.host)
		time.Sleep(time.Second)
		if !admitted(a, b) {
			t.Fatal("not admitted")
		}
		before := a.count("admitted")
		if err := b.door.initiate(a.host.ID()); err != nil {
			t.Fatal(err)
		}
		if a.count("admitted") != before+1 || !admitted(a, b) {
			t.Errorf("counted %v", a.results)
		}
	})
}

// spec: 02-hello M5
func TestASlowHandshakeIsEndedInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, slow := newSide(t, net, 0), newHost(t, net, 1)
		slow.SetStreamHandler(ProtocolID(tag), func(network.Stream) {})
		s := dialHello(t, slow, a)
		_, _ = s.Write([]byte{64})
		begin := time.Now()
		_, err := s.Read(make([]byte, 1))
		if took := time.Since(begin); err == nil || took < exchangeTime-time.Second || took > exchangeTime+time.Second {
			t.Errorf("ended after %v: %v", took, err)
		}
	})
}

// spec: 02-hello M9
func TestEachHandshakeHasItsOwnNonce(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, other := newSide(t, net, 0), newHost(t, net, 1)
		hellos := make(chan []byte, 16)
		other.SetStreamHandler(ProtocolID(tag), func(s network.Stream) {
			if m, err := wire.ReadFrame(bufio.NewReader(s), hello.MaxMessage); err == nil {
				hellos <- m
			}
			_ = s.Reset() // half open: it is said again
		})
		connect(t, a.host, other)
		first, second := <-hellos, <-hellos
		// The body is field 2 of the message, the nonce its first field.
		nonce := func(m []byte) []byte { return m[6:38] }
		if len(first) < 38 || len(second) < 38 || bytes.Equal(nonce(first), nonce(second)) || bytes.Equal(nonce(first), make([]byte, 32)) {
			t.Errorf("two hellos: %x, %x", first, second)
		}
	})
}

// Whatever was wrong, the one who failed reads nothing: his stream is reset, as
// an admitted peer sees, whose connection stays.
//
// spec: 02-hello M19
func TestNobodyIsToldWhyHeFailed(t *testing.T) {
	raw := func(b ...byte) func(*testing.T, *side, network.Stream) {
		return func(_ *testing.T, _ *side, s network.Stream) { _, _ = s.Write(b) }
	}
	for name, fail := range map[string]func(*testing.T, *side, network.Stream){
		"garbage":   raw(3, 1, 2, 3),
		"too large": raw(0x81, 0x08), // 1,025 bytes are to follow
		"another network": func(t *testing.T, b *side, s network.Stream) {
			sayWrongly(t, b, s, func(c *hello.Config) { c.Network[0]++ }, nil)
		},
		"a wrong proof": func(t *testing.T, b *side, s network.Stream) {
			sayWrongly(t, b, s, nil, func(proof []byte) { proof[len(proof)-1]++ })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, net *testnet.Net) {
				a, b := newSide(t, net, 0), newSide(t, net, 1)
				connect(t, b.host, a.host)
				time.Sleep(time.Second)
				s := dialHello(t, b.host, a)
				fail(t, b, s)
				begin := time.Now()
				n, err := s.Read(make([]byte, 1))
				if n != 0 || !errors.Is(err, network.ErrReset) || time.Since(begin) > time.Second {
					t.Errorf("read %d bytes, %v after %v", n, err, time.Since(begin))
				}
			})
		})
	}
}

// sayWrongly says hello as another than b is, or spoils the proof if there is a
// challenge to answer.
func sayWrongly(t *testing.T, b *side, s network.Stream, as func(*hello.Config), spoil func([]byte)) {
	t.Helper()
	cfg, err := b.door.handshake(s)
	if err != nil {
		t.Fatal(err)
	}
	if as != nil {
		as(&cfg)
	}
	i, first, err := hello.Initiate(cfg, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if spoil == nil {
		_ = wire.WriteFrame(s, first)
		return
	}
	challenge, err := exchange(s, bufio.NewReader(s), first)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := i.Prove(challenge, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	spoil(proof)
	_ = wire.WriteFrame(s, proof)
}

// spec: 02-hello M22
func TestBackoffOfTheRefused(t *testing.T) {
	b := backoffs{failed: make(map[peer.ID]failure)}
	now := time.Unix(1, 0)
	for _, want := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 600, 600, 600} {
		want *= time.Second
		wait := b.fail("x", now)
		if wait < want || wait >= want+want/5 {
			t.Errorf("waits %v, want %v and up to a fifth more", wait, want)
		}
		if b.check("x", now.Add(wait-1)) == nil || b.check("x", now.Add(wait)) != nil {
			t.Error("the wait is not what was told")
		}
		now = now.Add(wait)
	}
	if b.clear("x"); b.fail("x", now) >= 6*time.Second {
		t.Error("an admission does not end the doubling")
	}
}
