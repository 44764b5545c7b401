package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/wire"
)

// founder starts a closed network's first node on host i.
func founder(t *testing.T, net *testnet.Net, i int, name string) (*Node, Invite) {
	t.Helper()
	dir := t.TempDir()
	f, err := CreateNetwork(dir, name, ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	n := simNode(t, net, i, func(c *Config) { c.Dir, c.Zone = dir, "attic" })
	return n, f.Invite(nil)
}

func invited(v Invite) func(*Config) { return func(c *Config) { c.Network.Invite = &v } }

// spec: 01-network M33
func TestAJoinerOfAClosedNetworkLearnsItsName(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, invite := founder(t, net, 0, "Acme Ltd")
		b := simNode(t, net, 1, invited(invite), peersOf(a))
		waitAdmitted(t, b, a)
		time.Sleep(time.Second)
		if got := b.Network(); got.Name != "Acme Ltd" || got != a.Network() {
			t.Errorf("joined %+v, want %+v", got, a.Network())
		}
		remembered, err := LoadNetwork(b.Dir())
		if err != nil || remembered.Name != "Acme Ltd" {
			t.Errorf("remembered %v, %v", remembered, err)
		}
		if ps := b.Peers(); len(ps) != 1 || ps[0].Zone != "attic" || ps[0].Transport != "quic" || ps[0].RTT == 0 {
			t.Errorf("peers %+v", ps)
		}
		// What b learned it passes on.
		c := simNode(t, net, 2, invited(invite), peersOf(b))
		waitAdmitted(t, c, b)
		time.Sleep(time.Second)
		if c.Network().Name != "Acme Ltd" {
			t.Error("the record was not passed on")
		}
		gossips(t, a, b, "x")
	})
}

// The address in an invite is all a joiner has where multicast does not reach;
// it is dialled, also at a start without the invite, and never replaces what
// was learned of the peer since.
func TestAJoinerDialsTheAddressOfHisInvite(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, invite := founder(t, net, 0, "Acme Ltd")
		invite.Addr = &peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()[:1]}
		invite, err := ParseInvite(invite.String())
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		n := simNode(t, net, 1, func(c *Config) { c.Dir, c.Network.Invite = dir, &invite })
		waitAdmitted(t, n, a)
		known := n.book.all()
		n.book.introduce(peer.AddrInfo{ID: a.ID(), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/1")}})
		if got := n.book.all(); !reflect.DeepEqual(got[0].Addrs, known[0].Addrs) {
			t.Errorf("%v took the place of %v", got[0].Addrs, known[0].Addrs)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		again := simNode(t, net, 2, func(c *Config) { c.Dir = dir })
		waitAdmitted(t, again, a)
	})
}

// sniffer is a plain libp2p host that offers every protocol it has heard of and
// keeps all that comes.
type sniffer struct {
	host.Host
	mu  sync.Mutex
	got []string // "protocol: bytes"
}

func newSniffer(t *testing.T, net *testnet.Net, i int) *sniffer {
	t.Helper()
	h, err := libp2p.New(append(net.Options(i), libp2p.DisableRelay(), libp2p.DisableMetrics())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	s := &sniffer{Host: h}
	h.SetStreamHandlerMatch("/", func(id protocol.ID) bool { return !strings.HasPrefix(string(id), "/ipfs/") }, s.keep)
	for _, id := range append(slices.Clone(gossipProtocols), pubsub.GossipSubID_v13, pubsub.FloodSubID) {
		h.SetStreamHandler(id, s.keep)
	}
	return s
}

func (s *sniffer) keep(str network.Stream) {
	b, _ := io.ReadAll(str)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasSuffix(string(str.Protocol()), "/hello/1.0.0") {
		s.got = append(s.got, string(str.Protocol())+": "+string(b))
	}
}

func (s *sniffer) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// Strangers of every kind meet a closed network: one without any of Parley, one
// with a wrong secret, one of another network, and all are told its address.
func TestStrangersOfAClosedNetworkGetNothing(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, invite := founder(t, net, 0, "Acme")
		b := simNode(t, net, 1, invited(invite), peersOf(a))
		waitAdmitted(t, a, b)
		topic, _ := subscribe(t, a, "secret-topic")
		_, sub := subscribe(t, b, "secret-topic")

		wrong := invite
		wrong.Secret[0]++
		thief := simNode(t, net, 2, invited(wrong), peersOf(a, b))
		other := simNode(t, net, 3, peersOf(a, b))
		plain := newSniffer(t, net, 4)
		_, _ = subscribe(t, thief, "secret-topic")
		_, _ = subscribe(t, other, "secret-topic")
		for i := range 20 {
			_ = plain.Connect(t.Context(), peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()})
			sniff(t, plain, a)
			if err := topic.Publish(t.Context(), fmt.Appendf(nil, "for members only %d", i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}

		if got := plain.all(); len(got) > 0 {
			t.Errorf("the sniffer got %q", got)
		}
		for _, stranger := range []peer.ID{thief.ID(), other.ID(), plain.ID()} {
			if a.gate.Admitted(stranger) || slices.Contains(a.PubSub().ListPeers("secret-topic"), stranger) {
				t.Errorf("%v is in", stranger)
			}
			if a.host.Network().Connectedness(stranger) == network.Connected && stranger != plain.ID() {
				t.Errorf("%v is still connected", stranger)
			}
		}
		if len(thief.Peers())+len(other.Peers()) > 0 {
			t.Error("a stranger admitted a member")
		}
		if h := a.Status().Hello; h["admitted"] == 0 || h["unspoken"]+h["proof"]+h["half_open"] == 0 {
			t.Errorf("counted %v", h)
		}
		if _, err := sub.Next(testContext(t)); err != nil {
			t.Errorf("the members' own gossip stopped: %v", err)
		}
	})
}

// sniff opens streams of gated protocols and sends gossip's greeting.
func sniff(t *testing.T, s *sniffer, n *Node) {
	t.Helper()
	for _, id := range append(slices.Clone(gossipProtocols), aboutProtocol(n.Network().Tag)) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		str, err := s.NewStream(ctx, n.ID(), id)
		cancel()
		if err != nil {
			continue
		}
		_, _ = str.Write([]byte("\x12\x0a\x10\x08\x01\x12\x0csecret-topic"))
		go s.keepRest(str)
	}
}

// keepRest keeps what a stream yields that the sniffer opened; negotiation
// itself is no content.
func (s *sniffer) keepRest(str network.Stream) {
	b, err := io.ReadAll(str)
	if len(b) > 0 || err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, string(str.Protocol())+": "+string(b))
	}
}

// spec: 01-network M16, M36
func TestTheNetworkRecordIsNotBelievedUnsigned(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a, _ := founder(t, net, 0, "Acme")
		forged := slices.Clone(a.networkFile().Record)
		forged[len(forged)-1]++
		if err := a.takeRecord(forged); !errors.Is(err, ErrNetworkRecord) {
			t.Errorf("forged: %v", err)
		}
		if err := a.takeRecord(a.networkFile().Record); err != nil {
			t.Errorf("the same again: %v", err)
		}
		if a.Network().Name != "Acme" {
			t.Error("the record changed")
		}
	})
}

func FuzzDecodeAbout(f *testing.F) {
	f.Add(about{record: []byte("record"), zone: "attic"}.encode())
	f.Add(about{zone: "attic", peers: []peer.AddrInfo{
		{ID: wire.PeerID([32]byte{1}), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.1/udp/7330/quic-v1"), ma.StringCast("/ip6/fd00::1/tcp/1")}},
		{ID: wire.PeerID([32]byte{2}), Addrs: []ma.Multiaddr{ma.StringCast("/dns4/example.org/tcp/1")}},
	}}.encode())
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{0x13, 0x08, 0x01, 0x14})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAbout(b, true)
		if err != nil {
			return
		}
		if len(a.peers) > maxAboutPeers {
			t.Errorf("%d peers", len(a.peers))
		}
		for _, p := range a.peers {
			if len(p.Addrs) > maxAboutAddrs || slices.ContainsFunc(p.Addrs, func(a ma.Multiaddr) bool { return !listenable(a) }) {
				t.Errorf("%v is told of", p)
			}
		}
		again, err := decodeAbout(a.encode(), true)
		if err != nil || again.zone != a.zone || string(again.record) != string(a.record) || len(again.peers) != len(a.peers) {
			t.Errorf("%+v became %+v, %v", a, again, err)
		}
	})
}
