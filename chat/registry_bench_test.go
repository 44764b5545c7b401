package chat

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// BenchmarkOpenRegistry opens a messenger whose registry has many registrations.
func BenchmarkOpenRegistry(b *testing.B) {
	for _, n := range []int{10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			if _, err := node.CreateNetwork(dir, "bench", node.ModeCertified); err != nil {
				b.Fatal(err)
			}
			id, err := node.OpenMember(dir, nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := node.AddRegistrar(dir, id.ID()); err != nil {
				b.Fatal(err)
			}
			nd, err := node.Start(b.Context(), node.Config{Dir: dir, NoMDNS: true, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}})
			if err != nil {
				b.Fatal(err)
			}
			defer nd.Close()
			m, err := Open(b.Context(), nd, Config{})
			if err != nil {
				b.Fatal(err)
			}
			begin := time.Now()
			done := make(chan error, 256)
			for w := range 256 {
				go func() {
					for i := w; i < n; i += 256 {
						if err := m.Registry().Register(b.Context(), somebody(i), "", [8]byte{byte(i), byte(i >> 8)}, time.Unix(1, 0), "code x"); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			for range 256 {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "registrations/s")
			for b.Loop() {
				if err := m.Close(); err != nil {
					b.Fatal(err)
				}
				if m, err = Open(b.Context(), nd, Config{}); err != nil {
					b.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func somebody(i int) peer.ID { return wire.PeerID([32]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}) }
