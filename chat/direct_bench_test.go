package chat_test

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
)

// BenchmarkDirect is telling one other node 256-byte texts over TCP, many under
// way, until it has acknowledged the last.
func BenchmarkDirect(b *testing.B) {
	n, m := loopback(b)
	other, _ := loopback(b, peer.AddrInfo{ID: n.ID(), Addrs: n.Addrs()})
	d := m.Direct(other.ID())
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	delivered := make(chan uint64, 1000) // seqs
	go func() {                          // ends with ctx
		defer close(delivered)
		for u := range m.Updates(ctx, m.LastCursor()) {
			if s, ok := u.(chat.StateChanged); ok && s.State == chat.StateDelivered {
				select {
				case delivered <- s.Seq:
				case <-ctx.Done():
				}
			}
		}
	}()
	until := func(seq uint64) {
		for got := range delivered {
			if got >= seq {
				return
			}
		}
		b.Fatal("not delivered")
	}
	if _, err := d.Send(ctx, chat.Text("are you there?")); err != nil {
		b.Fatal(err)
	}
	until(1)
	b.ReportAllocs()
	b.ResetTimer()
	for _, err := range d.SendAll(ctx, texts256(b.N)) {
		if err != nil {
			b.Fatal(err)
		}
	}
	until(uint64(b.N) + 1)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}
