package node

import (
	"bufio"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node/internal/admission"
)

// only are n's addresses of one transport.
func only(n *Node, transport string) peer.AddrInfo {
	addrs := slices.DeleteFunc(n.Addrs(), func(a ma.Multiaddr) bool { return transportOf(a) != transport })
	return peer.AddrInfo{ID: n.ID(), Addrs: addrs}
}

// newStranger is a libp2p host without limits of its own, connected to n by TCP. It
// leaves those waiting who greet it, so that it is not turned away at once.
func newStranger(t *testing.T, n *Node, opts ...libp2p.Option) host.Host {
	t.Helper()
	h := newUnconnected(t, n, opts...)
	if err := h.Connect(testContext(t), only(n, "tcp")); err != nil {
		t.Fatal(err)
	}
	return h
}

func newUnconnected(t *testing.T, n *Node, opts ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append(opts, libp2p.NoListenAddrs, libp2p.Transport(tcp.NewTCPTransport),
		libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler(admission.ProtocolID(n.Network().Tag), func(network.Stream) {})
	return h
}

// openSilent opens up to n streams on which nothing is said, and returns how many.
func openSilent(t *testing.T, c network.Conn, n int) int {
	t.Helper()
	for i := range n {
		if _, err := c.NewStream(testContext(t)); err != nil {
			return i
		}
	}
	return n
}

// A stream of TCP reserves 256 KiB when it is opened, and a connection on which
// that fails is given up. So strangers who open streams and say nothing could
// throw members out.
func TestSilentStreamsOfStrangersThrowNobodyOut(t *testing.T) {
	n := startNode(t, func(c *Config) { c.Light = true })
	member := startNode(t, func(c *Config) { c.Peers = []peer.AddrInfo{only(n, "tcp")} })
	waitAdmitted(t, n, member)
	waitAdmitted(t, member, n)
	conn := member.host.Network().ConnsToPeer(n.ID())[0]
	silent := 0
	for range 40 {
		stranger := newUnconnected(t, n)
		_ = stranger.Connect(testContext(t), only(n, "tcp"))
		for _, c := range stranger.Network().ConnsToPeer(n.ID()) { // none: the others left nothing for it
			silent += openSilent(t, c, 30)
		}
	}
	if silent < 100 {
		t.Fatalf("only %d streams are silent", silent)
	}
	for range 50 {
		s, err := member.Host().NewStream(testContext(t), n.ID(), aboutProtocol(n.Network().Tag))
		if err != nil {
			t.Fatalf("a member's stream: %v", err)
		}
		defer s.Reset()
	}
	gossips(t, member, n, "x")
	if conn.IsClosed() {
		t.Error("a member was thrown out")
	}
}

// newHalved is a light node's resource manager that knows one member.
func newHalved(t *testing.T, member peer.ID) *halved {
	t.Helper()
	l := lightLimits()
	rm, err := l.resourceManager(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rm.Close() })
	return &halved{rm, func(p peer.ID) bool { return p == member }, l.streams() / 2}
}

func TestStrangersTakeHalfTheStreamsAtMost(t *testing.T) {
	h := newHalved(t, "member")
	openAll := func(p peer.ID, n int) int {
		for i := range n {
			if _, err := h.OpenStream(p, network.DirInbound); err != nil {
				return i
			}
		}
		return n
	}
	all := openAll("stranger", 100)
	if all != strangerStreams {
		t.Errorf("a stranger has %d streams, want %d", all, strangerStreams)
	}
	for i := range h.streams {
		all += openAll(peer.ID(strconv.Itoa(i)), strangerStreams)
	}
	if all != h.streams {
		t.Errorf("strangers have %d streams, want %d", all, h.streams)
	}
	if got := openAll("member", 100); got != 100 {
		t.Errorf("a member got %d of 100 streams", got)
	}
	if _, err := h.OpenStream("stranger", network.DirOutbound); err != nil {
		t.Errorf("our own stream, for hello: %v", err)
	}
}

func TestStrangersTakeHalfTheMemoryAtMost(t *testing.T) {
	h := newHalved(t, "member")
	reserve := func(p peer.ID) (got int64) { // as yamux does for streams
		c, err := h.OpenConnection(network.DirInbound, true, ma.StringCast("/ip4/127.0.0.1/tcp/7330"))
		if err != nil {
			t.Fatal(err)
		}
		if c.PeerScope() != nil {
			t.Error("a connection has a peer before it is told")
		}
		if err := c.SetPeer(p); err != nil {
			t.Fatal(err)
		}
		for {
			s, err := c.PeerScope().BeginSpan()
			if err != nil {
				t.Fatal(err)
			}
			if s.ReserveMemory(256<<10, network.ReservationPriorityAlways) != nil {
				return got
			}
			got += 256 << 10
		}
	}
	total := int64(0)
	for i := range 20 {
		total += reserve(peer.ID(strconv.Itoa(i)))
	}
	if limit := lightLimits().memory; total != limit/2 {
		t.Errorf("strangers have %d bytes of %d", total, limit)
	}
	if got := reserve("member"); got < 16<<20 {
		t.Errorf("a member got %d bytes", got)
	}
}

// Its words are right, and its key is one that can sign no event.
//
// spec: 02-hello M1
func TestAPeerWithoutAnAuthorsKeyIsRefused(t *testing.T) {
	n := startNode(t)
	for kind, want := range map[int]bool{crypto.ECDSA: false, crypto.Ed25519: true} {
		key, _, err := crypto.GenerateKeyPair(kind, 0)
		if err != nil {
			t.Fatal(err)
		}
		h := newStranger(t, n, libp2p.Identity(key))
		if got := saysHello(t, h, n) == nil; got != want {
			t.Errorf("a peer with a key of type %d is admitted: %v, want %v", kind, got, want)
		}
	}
}

// saysHello runs one handshake of the open network from a host without a node.
func saysHello(t *testing.T, h host.Host, n *Node) error {
	t.Helper()
	s, err := h.NewStream(testContext(t), n.ID(), admission.ProtocolID(n.Network().Tag))
	if err != nil {
		return err
	}
	defer s.Reset()
	i, msg, err := hello.Initiate(hello.Config{
		Network: n.Network().ID, Secrets: []hello.Secret{hello.Open(n.Network().ID)},
		Local: []byte(h.ID()), Remote: []byte(n.ID()), Nonce: [hello.NonceSize]byte{1},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(s)
	for _, step := range []func([]byte) error{
		func(b []byte) (err error) { msg, err = i.Prove(b, time.Now()); return err },
		func(b []byte) error { _, err := i.Finish(b); return err },
	} {
		if err := wire.WriteFrame(s, msg); err != nil {
			return err
		}
		answer, err := wire.ReadFrame(r, hello.MaxMessage)
		if err != nil {
			return err
		}
		if err := step(answer); err != nil {
			return err
		}
	}
	return nil
}

// What is served to who is not admitted: libp2p's identify, our ping and hello.
// All else that runs on a node answers through the gate.
//
// spec: 02-hello M2
// spec: 01-network M11, M15
func TestNothingElseIsServedToStrangers(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		n := simNode(t, net, 0)
		_, _ = subscribe(t, n, "x")
		served := []protocol.ID{"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", admission.ProtocolID(n.Network().Tag)}
		gated := append(slices.Clone(gossipProtocols), aboutProtocol(n.Network().Tag))
		want := slices.Sorted(slices.Values(append(slices.Clone(served), gated...)))
		if got := slices.Sorted(slices.Values(n.host.Mux().Protocols())); !slices.Equal(got, want) {
			t.Errorf("handlers are set for %v, want %v", got, want)
		}
		plain := newSniffer(t, net, 1)
		// Nor is anything asked of a stranger that offers such services itself.
		for _, id := range []protocol.ID{
			"/libp2p/autonat/1.0.0", "/libp2p/autonat/2/dial-request", "/libp2p/circuit/relay/0.2.0/hop",
			"/libp2p/circuit/relay/0.2.0/stop", "/libp2p/dcutr",
		} {
			plain.SetStreamHandler(id, plain.keep)
		}
		plain.SetStreamHandler(admission.ProtocolID(n.Network().Tag), func(network.Stream) {})
		if err := plain.Connect(t.Context(), infoOf(n)); err != nil {
			t.Fatal(err)
		}
		for _, id := range gated {
			s, err := plain.NewStream(t.Context(), n.ID(), id)
			if err != nil {
				continue
			}
			_ = s.SetDeadline(time.Now().Add(time.Minute))
			if _, err := s.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s answers a stranger", id)
			}
		}
		time.Sleep(20 * time.Second)
		if got := plain.all(); len(got) > 0 {
			t.Errorf("the stranger was asked %q", got)
		}
	})
}
