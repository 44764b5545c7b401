package delivery

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/reconcile"
)

// BenchmarkSyncOfStores compares two encrypted stores on disk of 256,000 events,
// of a busy hour (20,000 events a second in bursts) or a quiet year: equal, with
// 100 batches missing all over, and with everything missing. B/sync are the
// bytes of both directions; fetching is not part of it.
func BenchmarkSyncOfStores(b *testing.B) {
	const batches = 1000
	for _, pace := range []struct {
		name string
		gap  time.Duration
	}{{"busy", 13 * time.Millisecond}, {"quiet", 8 * time.Hour}} {
		now := time.Now()
		first := now.Add(-batches * pace.gap)
		peer, most, none := openStore(b), openStore(b), openStore(b)
		a := newAuthor(1)
		for i := range batches {
			x := a.write(b, first.Add(time.Duration(i)*pace.gap), event.MaxBatchEvents)
			for _, s := range []*eventlog.Store{peer, most} {
				if s == most && i%10 == 5 {
					continue
				}
				if _, err := s.Append(b.Context(), x, false); err != nil {
					b.Fatal(err)
				}
			}
		}
		for _, c := range []struct {
			name string
			own  *eventlog.Store
			need int
		}{{"equal", peer, 0}, {"100 batches missing", most, 100 * 256}, {"newcomer", none, batches * 256}} {
			b.Run(fmt.Sprint(pace.name, "/", c.name), func(b *testing.B) {
				for b.Loop() {
					compareStores(b, c.own.Range(testLog), peer.Range(testLog), c.need)
				}
			})
		}
	}
}

func openStore(b testing.TB) *eventlog.Store {
	s, err := eventlog.Open(b.Context(), eventlog.Options{Dir: b.TempDir(), Key: [32]byte{1}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func compareStores(b *testing.B, own, peer reconcile.Set, need int) {
	sum, err := peer.Sum(reconcile.At(0), reconcile.At(reconcile.Infinity))
	if err != nil {
		b.Fatal(err)
	}
	asker := reconcile.NewAsker(own, reconcile.At(0), reconcile.At(reconcile.Infinity), uint64(time.Now().Unix()), sum.Count)
	bytes, got, rounds := 0, 0, 0
	for {
		msg, err := asker.Next(maxAskedSize, maxAnswerSize)
		if err != nil {
			b.Fatal(err)
		}
		if msg == nil {
			break
		}
		reply, _, err := reconcile.Answer(peer, reconcile.At(0), msg, maxAnswerSize)
		if err != nil {
			b.Fatal(err)
		}
		found, err := asker.Take(reply)
		if err != nil {
			b.Fatal(err)
		}
		bytes, got, rounds = bytes+len(msg)+len(reply), got+len(found.Need), rounds+1
	}
	if got != need {
		b.Fatalf("%d needed", got)
	}
	b.ReportMetric(float64(bytes), "B/sync")
	b.ReportMetric(float64(rounds), "rounds")
}
