package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/wake"
)

// unjoined is a Log without gossip and goroutines, to call parts of.
func unjoined(b testing.TB, store Store) *Log {
	m, err := newMetrics(nil)
	if err != nil {
		b.Fatal(err)
	}
	s := &Service{metrics: m, budgets: newBudgets(), cfg: Config{Now: time.Now, Store: store, Clock: new(event.Clock)}}
	l := &Log{
		s: s, id: testLog, log: slog.New(slog.DiscardHandler), ctx: context.Background(), known: newKnown(), held: new(holdback),
		queue: wake.New[arrival](maxQueue), soon: make(chan struct{}, 1),
	}
	l.fetcher, l.syncer = newFetcher(l), newSyncer(l)
	return l
}

// BenchmarkReceive is the way of a batch from gossip into an encrypted store
// on disk: verdict, then append. ns/op and allocs/op are of one event.
func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			store, err := eventlog.Open(b.Context(), eventlog.Options{Dir: b.TempDir(), Key: [32]byte{1}})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			l := unjoined(b, store)
			a := newAuthor(1)
			payloads := make([][]byte, b.N/size+1)
			for i := range payloads {
				payloads[i] = a.write(b, time.Now(), size).Payload()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i, p := range payloads {
				msg := &pubsub.Message{Message: &pb.Message{Data: p}}
				if got := l.validate(context.Background(), "forwarder", msg); got != pubsub.ValidationAccept {
					b.Fatal("verdict", got)
				}
				if i%appendAtOnce == appendAtOnce-1 {
					items, _ := l.queue.TakeAll(nil)
					l.appendAll(items)
					l.waiting.Store(0)
				}
			}
			items, _ := l.queue.TakeAll(nil)
			l.appendAll(items)
		})
	}
}
