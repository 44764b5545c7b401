package chat_test

import (
	"fmt"
	"testing"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// BenchmarkUpdates is reading stored messages of ten others, who have no nick here,
// as a reader who lags behind does.
func BenchmarkUpdates(b *testing.B) {
	for _, size := range []int{256, 1} {
		b.Run(fmt.Sprintf("batches-of-%d", size), func(b *testing.B) {
			n, err := node.Start(b.Context(), localConfig(b.TempDir()))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = n.Close() })
			events := max(b.N/size, 1) * size
			past(b, n, events, size)
			m, err := chat.Open(b.Context(), n, chat.Config{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = m.Close() })
			if _, err := m.Join(b.Context(), "lobby"); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			seen := 0
			for u := range m.Updates(b.Context(), 0) {
				if _, ok := u.(chat.MessageAdded); !ok {
					continue
				}
				if seen++; seen == events {
					return
				}
			}
			b.Fatalf("%d of %d messages", seen, events)
		})
	}
}
