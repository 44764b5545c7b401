package delivery

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/parley-chat/parley/internal/event"
)

// play has a sender send what his window allows, at most a batch each 10 ms, for
// a time. say returns what a member says at a time, given what was sent, and
// whether he says anything; the sender hears it at once. It returns how many
// batches were sent.
func play(w *window, d time.Duration, members int, say func(i int, at time.Duration, sent uint64) (uint64, bool)) int {
	at := func(d time.Duration) time.Time { return testTime.Add(d) }
	sent, since, next := 0, time.Duration(0), time.Duration(0)
	for now := time.Duration(0); now < d; now += time.Millisecond {
		for i := range members {
			if seq, ok := say(i, now, uint64(sent)); ok {
				w.ack(peer.ID(fmt.Sprint(i)), seq, at(now))
			}
		}
		if now < next {
			since = now
			continue
		}
		if w.hold(at(since), at(now)) > 0 {
			continue
		}
		sent++
		w.put(uint64(sent), at(now))
		next = now + minPause
	}
	return sent
}

func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var got dto.Metric
	if err := m.Write(&got); err != nil {
		t.Fatal(err)
	}
	return got.GetCounter().GetValue() + got.GetGauge().GetValue()
}

func unwatched(t *testing.T) *window {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	return newWindow(m)
}

// each says that a member has stored one more batch at a pace, if there is one.
func each(d time.Duration, sent uint64, at time.Duration) (uint64, bool) {
	return min(sent, uint64(at/d)), at%d == 0
}

func honest(_ int, _ time.Duration, sent uint64) (uint64, bool) { return sent, true }

func TestASenderAloneIsNeverHeld(t *testing.T) {
	if got := play(unwatched(t), 10*time.Second, 0, nil); got != 1000 {
		t.Errorf("%d batches of 1,000", got)
	}
	w := unwatched(t)
	if got := play(w, 10*time.Second, 5, honest); got != 1000 {
		t.Errorf("%d batches of 1,000", got)
	}
	for i := range 5 {
		w.drop(peer.ID(fmt.Sprint(i)))
	}
	for i := range uint64(100) {
		if w.hold(testTime, testTime) > 0 {
			t.Fatal("held by those who follow no more")
		}
		w.put(2000+i, testTime)
	}
}

func TestEightBatchesAreUnderWayToTheSlowest(t *testing.T) {
	w := unwatched(t)
	w.ack("one", 0, testTime)
	for seq := uint64(1); seq <= windowSize; seq++ {
		if w.hold(testTime, testTime) > 0 {
			t.Fatalf("batch %d is held", seq)
		}
		w.put(10*seq, testTime)
	}
	if got := w.hold(testTime, testTime); got != maxHold {
		t.Errorf("the ninth is held for %v", got)
	}
	w.ack("one", 9, testTime) // not all of the first
	if w.hold(testTime, testTime) == 0 {
		t.Error("the ninth is sent before the first is stored")
	}
	w.ack("one", 10, testTime)
	if w.hold(testTime, testTime) > 0 {
		t.Error("the ninth is held though the first is stored")
	}
}

// A whole room that is slow sets the pace: nobody gets further behind than the
// window is long, and none is given up.
func TestARoomThatIsSlowSetsThePace(t *testing.T) {
	w, most := unwatched(t), uint64(0)
	got := play(w, 20*time.Second, 9, func(i int, at time.Duration, sent uint64) (uint64, bool) {
		seq, ok := each(time.Duration(95+i)*time.Millisecond, sent, at)
		if ok {
			most = max(most, sent-seq)
		}
		return seq, ok
	})
	if got < 190 || got > 230 || most > 2*windowSize {
		t.Errorf("%d batches of 200, one was %d behind", got, most)
	}
	if left := value(t, w.metrics.windowLeft.WithLabelValues("behind")); left > 0 {
		t.Errorf("%v were given up", left)
	}
}

// One who is slow, or says so, costs the others a twentieth of their pace,
// whatever it is that he says, and so do almost half who are.
func TestAFewWhoLagCostTheRoomLittle(t *testing.T) {
	for name, liar := range map[string]func(i int, at time.Duration, sent uint64) (uint64, bool){
		"slow":       func(_ int, at time.Duration, sent uint64) (uint64, bool) { return each(time.Second/10, sent, at) },
		"dead":       func(_ int, at time.Duration, _ uint64) (uint64, bool) { return 0, at == 0 },
		"never more": func(int, time.Duration, uint64) (uint64, bool) { return 0, true },
		"crawls": func(_ int, at time.Duration, sent uint64) (uint64, bool) {
			return max(sent, 8) - 8 + uint64(at/time.Second)%2, at%(900*time.Millisecond) == 0
		},
		"always the first of eight": func(_ int, _ time.Duration, sent uint64) (uint64, bool) {
			return max(sent, windowSize) - windowSize, true
		},
		"comes and goes": func(_ int, at time.Duration, sent uint64) (uint64, bool) {
			return sent, at%(2*time.Second) < time.Second
		},
	} {
		for few := range 5 {
			got := play(unwatched(t), time.Minute, 9, func(i int, at time.Duration, sent uint64) (uint64, bool) {
				if i < few {
					return liar(i, at, sent)
				}
				return honest(i, at, sent)
			})
			if got < 5650 || few == 0 && got != 6000 {
				t.Errorf("%s: with %d of 9, %d batches of 6,000", name, few, got)
			}
		}
	}
}

// Where most store one event more just before they would count as silent, a batch
// waits a quarter of a second.
func TestAMajorityMaySlowASenderButNotStopHim(t *testing.T) {
	w, sent, since := unwatched(t), uint64(0), time.Duration(0)
	for at := time.Duration(0); at < time.Minute; at += 10 * time.Millisecond {
		now := testTime.Add(at)
		if at%(900*time.Millisecond) == 0 {
			w.ack("liar", uint64(at/(900*time.Millisecond)), now)
		}
		if w.hold(testTime.Add(since), now) > 0 {
			continue
		}
		sent, since = sent+1, at
		w.put(sent*event.MaxBatchEvents, now)
	}
	if sent < 230 || sent > 260 {
		t.Errorf("%d batches in a minute", sent)
	}
}

// When all fall silent the sender waits for them a second, and then no more.
func TestWhoIsSilentForASecondHoldsNobody(t *testing.T) {
	w := unwatched(t)
	dead := 5 * time.Second
	before := 0
	got := play(w, 10*time.Second, 3, func(_ int, at time.Duration, sent uint64) (uint64, bool) {
		if at < dead {
			before = int(sent)
		}
		return sent, at < dead
	})
	if lost := 1000 - got; before != 500 || lost < 80 || lost > 130 {
		t.Errorf("%d batches before, %d in all", before, got)
	}
	if left := value(t, w.metrics.windowLeft.WithLabelValues("silent")); left != 3 {
		t.Errorf("%v left", left)
	}
	w.ack("1", uint64(got), testTime.Add(11*time.Second))
	if n := value(t, w.metrics.windowed); n != 1 {
		t.Errorf("%v are in the window after one has caught up", n)
	}
}

// One who was too far behind is waited for again when he has caught up.
func TestWhoIsFarBehindIsLeftUntilHeHasCaughtUp(t *testing.T) {
	w := unwatched(t)
	w.ack("one", 0, testTime)
	for seq := uint64(1); seq <= 100; seq++ {
		w.put(seq, testTime)
	}
	if w.hold(testTime, testTime) < maxHold {
		t.Error("not held") // for he is all who follow
	}
	if n := value(t, w.metrics.windowed); n != 0 {
		t.Errorf("%v are in the window", n)
	}
	for _, step := range []struct {
		stored uint64
		in     float64
	}{{90, 0}, {91, 0}, {92, 1}, {100, 1}} {
		w.ack("one", step.stored, testTime)
		if n := value(t, w.metrics.windowed); n != step.in {
			t.Errorf("at %d, %v are in the window", step.stored, n)
		}
	}
	if left := value(t, w.metrics.windowLeft.WithLabelValues("behind")); left != 1 {
		t.Errorf("%v left", left)
	}
}

// Who acknowledges what was not sent has acknowledged what was, and no more.
func TestTheFutureCannotBeAcknowledged(t *testing.T) {
	w := unwatched(t)
	w.ack("liar", math.MaxUint64, testTime)
	for seq := uint64(1); seq <= windowSize; seq++ {
		w.put(seq, testTime)
	}
	if w.hold(testTime, testTime) == 0 {
		t.Error("not held")
	}
}
