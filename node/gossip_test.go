package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/wire"
)

// gossiper writes RPCs to a node as a foreign library might.
type gossiper struct {
	t      *testing.T
	stream network.Stream
}

// rawGossip admits a host without a node to one that hears the topic x, and
// opens its stream of GossipSub.
func rawGossip(t *testing.T, net *testnet.Net) (g gossiper, sub *pubsub.Subscription) {
	t.Helper()
	h, err := libp2p.New(append(net.Options(0), libp2p.DisableRelay(), libp2p.DisableMetrics())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	for _, id := range gossipProtocols {
		h.SetStreamHandler(id, func(s network.Stream) { _, _ = io.Copy(io.Discard, s) })
	}
	n := simNode(t, net, 1)
	_, sub = subscribe(t, n, "x")
	if err := h.Connect(t.Context(), infoOf(n)); err != nil {
		t.Fatal(err)
	}
	if err := saysHello(t, h, n); err != nil {
		t.Fatal(err)
	}
	s, err := h.NewStream(t.Context(), n.ID(), gossipProtocols[0])
	if err != nil {
		t.Fatal(err)
	}
	return gossiper{t, s}, sub
}

func (g gossiper) write(rpc []byte) {
	g.t.Helper()
	if err := wire.WriteFrame(g.stream, rpc); err != nil {
		g.t.Fatal(err)
	}
}

// part is a protobuf field of bytes.
func part(field byte, value []byte) []byte { return wire.AppendFrame([]byte{field<<3 | 2}, value) }

// published is an RPC of one message on the topic x, with more fields of it.
func published(data string, more ...[]byte) []byte {
	m := append(part(2, []byte(data)), part(4, []byte("x"))...)
	return part(2, append(m, bytes.Join(more, nil)...))
}

// heard is the next message that arrives within five seconds; nil if none.
func heard(t *testing.T, sub *pubsub.Subscription) *pubsub.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	m, err := sub.Next(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return m
}

// spec: 04-delivery M1, M2
func TestGossipIsUnsignedAndNamedByItsData(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		g, sub := rawGossip(t, net)
		for name, more := range map[string][]byte{
			"author": part(1, []byte("a")), "number": part(3, make([]byte, 8)), "signature": part(5, make([]byte, 64)),
		} {
			g.write(published(name, more))
			if m := heard(t, sub); m != nil {
				t.Errorf("a message with %s is taken", name)
			}
		}
		g.write(published("plain"))
		m := heard(t, sub)
		if m == nil {
			t.Fatal("a plain message is not taken")
		}
		if sum := sha256.Sum256([]byte("plain")); m.ID != string(sum[:]) {
			t.Errorf("its ID is %x", m.ID)
		}
	})
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, b := simNode(t, net, 0), simNode(t, net, 1)
		b.dialer.add(infoOf(a), fromConfig)
		waitAdmitted(t, a, b)
		waitAdmitted(t, b, a)
		topic, _ := subscribe(t, a, "x")
		_, sub := subscribe(t, b, "x")
		time.Sleep(3 * time.Second)
		if err := topic.Publish(t.Context(), []byte("ours")); err != nil {
			t.Fatal(err)
		}
		m := heard(t, sub)
		if m == nil {
			t.Fatal("nothing heard")
		}
		if m.From != nil || m.Seqno != nil || m.Signature != nil || m.Key != nil {
			t.Errorf("our own message says who sent it: %+v", m.Message)
		}
	})
}

// spec: 04-delivery M3
func TestRPCsAreBounded(t *testing.T) {
	// padded is an RPC of size bytes with one message, the rest a field that
	// nobody knows.
	padded := func(text string, size int) []byte {
		rpc := published(text)
		return append(rpc, part(15, make([]byte, size-len(rpc)-4))...)
	}
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		g, sub := rawGossip(t, net)
		const most = 256 << 10
		whole := padded("largest", most)
		if len(whole) != most {
			t.Fatalf("%d bytes", len(whole))
		}
		g.write(whole)
		if m := heard(t, sub); m == nil || string(m.Data) != "largest" {
			t.Errorf("an RPC of %d bytes: %v", most, m)
		}
		g.write(padded("too large", most+1))
		if m := heard(t, sub); m != nil {
			t.Errorf("an RPC of %d bytes is taken", most+1)
		}
		_ = g.stream.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := bufio.NewReader(g.stream).ReadByte(); !errors.Is(err, network.ErrReset) {
			t.Errorf("its stream: %v", err)
		}
	})
}
