package node

import (
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// BenchmarkBulk sends megabytes over one stream between two admitted nodes on
// the loopback, over each transport that carries them. docs/performance tells
// how to lose packets on the way.
func BenchmarkBulk(b *testing.B) {
	for _, listen := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		b.Run(transportOf(ma.StringCast(listen)), func(b *testing.B) {
			const id = protocol.ID("/bulk/1.0.0")
			server := benchNode(b, listen)
			server.Host().SetStreamHandler(id, func(s network.Stream) {
				_, _ = io.Copy(io.Discard, s) // the reader of the answer notices
				_, _ = s.Write([]byte{1})
				_ = s.Close()
			})
			client := benchNode(b, listen, infoOf(server))
			for c := range client.Watch(b.Context()) {
				if c.Admitted {
					break
				}
			}
			s, err := client.Host().NewStream(b.Context(), server.ID(), id)
			if err != nil {
				b.Fatal(err)
			}
			megabyte := make([]byte, 1<<20)
			b.SetBytes(int64(len(megabyte)))
			for b.Loop() {
				if _, err := s.Write(megabyte); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.CloseWrite(); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(s, megabyte[:1]); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func benchNode(b *testing.B, listen string, peers ...peer.AddrInfo) *Node {
	b.Helper()
	n, err := Start(b.Context(), Config{Dir: b.TempDir(), Listen: []ma.Multiaddr{ma.StringCast(listen)}, NoMDNS: true, Peers: peers})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = n.Close() }) // the benchmark is over
	return n
}
