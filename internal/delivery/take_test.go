package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/parley-chat/parley/internal/event"
)

func TestAFullQueueIsCountedAndMakesUsAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := unjoined(t, newMemory())
		ctx, cancel := context.WithCancel(t.Context())
		l.ctx = ctx
		a := newAuthor(1)
		for range maxQueue + 3 {
			l.enqueue(arrival{a.write(t, time.Now(), 1), "forwarder"})
		}
		var lost dto.Metric
		if err := l.s.metrics.overflowed.Write(&lost); err != nil || lost.GetCounter().GetValue() != 3 {
			t.Errorf("%v overflowed, %v", lost.GetCounter(), err)
		}
		go l.take() // ends with ctx; the bubble waits for it
		synctest.Wait()
		if l.waiting.Load() != 0 {
			t.Errorf("%d bytes wait", l.waiting.Load())
		}
		if due := l.syncer.take(); len(due) != 1 || due[0].ID != "" {
			t.Errorf("nobody is asked: %+v", due)
		}
		cancel()
	})
}

func TestWhoComesAndGoesIsNotComparedWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := unjoined(t, newMemory()).syncer
		meet := func(times int) (atOnce int) {
			for range times {
				y.met("restless")
				if due := y.take(); len(due) != 1 {
					t.Fatalf("%d are compared with, want one", len(due))
				} else if due[0].met {
					atOnce++
				}
			}
			return atOnce
		}
		if n := meet(100); n != meetAtOnce {
			t.Errorf("he is compared with at once %d times, want %d", n, meetAtOnce)
		}
		time.Sleep(time.Duration(1.01 / meetAgain * float64(time.Second)))
		if n := meet(100); n != 1 {
			t.Errorf("after a rest %d times, want once", n)
		}
	})
}

func TestGossipLostBelowMakesUsAsk(t *testing.T) {
	l := unjoined(t, newMemory())
	l.s.logs = map[event.LogID]*Log{testLog: l}
	l.s.Lost()
	if due := l.syncer.take(); len(due) != 1 || due[0].ID != "" {
		t.Errorf("nobody is asked: %+v", due)
	}
}

// An id is handed out, and a direct message acknowledged, when it is synced. No
// kill of a process can show that it was not.
func TestWhatIsPromisedIsDurable(t *testing.T) {
	store := newMemory()
	l := unjoined(t, store)
	own, other := newAuthor(1), newAuthor(2)
	s := &sender{l: l, waiting: []*Pending{{draft: Draft{Kind: event.KindMessage}}}}
	if err := s.store(own.write(t, testTime, 1)); err != nil {
		t.Fatal(err)
	}
	if _, errs := l.Take(t.Context(), "other", []*event.Batch{other.write(t, testTime, 1)}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	if _, errs := l.Bring(t.Context(), []*event.Batch{other.write(t, testTime, 1)}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	if len(store.batches) != 3 || store.hasty != 0 {
		t.Errorf("%d of %d were not to be durable", store.hasty, len(store.batches))
	}
}
