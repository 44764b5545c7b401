package node

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/strict"
	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/wire"
)

// In an open network, alone, without a zone: there is nothing to tell, and that is told.
//
// spec: 01-network M33
func TestEveryNodeAnswersAboutItsNetwork(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		n := simNode(t, net, 0)
		h, err := libp2p.New(append(net.Options(1), libp2p.DisableRelay(), libp2p.DisableMetrics())...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		if err := h.Connect(t.Context(), infoOf(n)); err != nil {
			t.Fatal(err)
		}
		if err := saysHello(t, h, n); err != nil {
			t.Fatal(err)
		}
		s, err := h.NewStream(t.Context(), n.ID(), aboutProtocol(n.Network().Tag))
		if err != nil {
			t.Fatal(err)
		}
		// The protocol is settled with the first byte that one side writes, and this side has none to write.
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if all, err := io.ReadAll(s); err != nil || !bytes.Equal(all, []byte{0}) {
			t.Errorf("%x, %v", all, err)
		}
	})
}

// spec: 01-network M34, M35
func TestAnAnswerAboutANetworkAtItsLimits(t *testing.T) {
	long := func(host, n int) ma.Multiaddr {
		a := fmt.Sprintf("/ip4/10.0.0.%d/tcp/1/tls/sni/", host)
		fixed := len(ma.StringCast(a+"x").Bytes()) - 1
		return ma.StringCast(a + strings.Repeat("x", n-fixed))
	}
	answer := func(peers, addrs, size, zone int) []byte {
		b := about{record: make([]byte, maxRecord), zone: strings.Repeat("z", zone)}.encode()
		for i := range peers {
			p := strict.AppendBytes(nil, 1, append([]byte{byte(i)}, make([]byte, 31)...))
			for host := range addrs {
				p = strict.AppendBytes(p, 2, long(host, size).Bytes())
			}
			b = strict.AppendBytes(b, aboutPeer, p)
		}
		return b
	}
	most := answer(32, 8, 128, 64)
	got, err := decodeAbout(append(bytes.Clone(most), strict.AppendBytes(nil, 90, []byte("later"))...), false)
	if err != nil || len(got.peers) != 32 || len(got.peers[31].Addrs) != 8 || len(got.zone) != 64 {
		t.Errorf("at the limits, with a field of later versions: %d peers, %v", len(got.peers), err)
	}
	if _, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(wire.AppendFrame(nil, most))), 39_552); err != nil {
		t.Errorf("%d bytes: %v", len(most), err)
	}
	if maxAbout != 39_552 {
		t.Errorf("%d bytes are read", maxAbout)
	}
	for name, b := range map[string][]byte{
		"33 peers": answer(33, 1, 20, 1), "nine addresses": answer(1, 9, 20, 1),
		"an address of 129 bytes": answer(1, 1, 129, 1), "a zone of 65 bytes": answer(1, 1, 20, 65),
	} {
		if a, err := decodeAbout(b, false); err == nil {
			t.Errorf("%s: %d peers", name, len(a.peers))
		}
	}
}
