package delivery

import (
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// A room in which a batch takes 50 ms gets one each 50 ms, and not one each 10.
func TestABusySenderDoesNotOutrunItsRoom(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHall(t, every(50*time.Millisecond), every(40*time.Millisecond), every(50*time.Millisecond))
		sent := h.flood(20 * time.Second)
		if batches := sent / event.MaxBatchEvents; batches < 380 || batches > 430 {
			t.Errorf("%d batches in 20 s", batches)
		}
		for p, m := range h.stores {
			if most := m.most.Load(); most > 2*busyRun+windowSize { // before it is busy nobody follows
				t.Errorf("%d waited at %s", most, p)
			}
		}
	})
}

// One who stops does not stop the others, nor one who is slow.
func TestASlowOrDeadMemberDoesNotHoldTheRoom(t *testing.T) {
	dies := func(n int) time.Duration {
		if n > 100 {
			return -1
		}
		return time.Millisecond
	}
	for name, bad := range map[string]func(int) time.Duration{"dead": dies, "slow": every(100 * time.Millisecond)} {
		in(t, func(t *testing.T) {
			h := newHall(t, bad, every(time.Millisecond), every(time.Millisecond), every(time.Millisecond))
			d := 30 * time.Second
			if testing.Short() {
				d = 10 * time.Second
			}
			full := int(d / minPause)
			if batches := h.flood(d) / event.MaxBatchEvents; batches < full*11/12 {
				t.Errorf("%s: %d batches of %d", name, batches, full)
			}
			if in := value(t, h.sender.s.metrics.windowed); in != 3 {
				t.Errorf("%s: %v are waited for", name, in)
			}
		})
	}
}

// Who sends little opens no stream, however often; who was busy has them closed
// some seconds after, and opens them again when he is.
func TestOnlyABusySenderIsFollowed(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHall(t, every(time.Millisecond), every(time.Millisecond))
		for range 2000 { // one or two in a batch, without rests
			if _, err := h.sender.Submit(h.ctx, Draft{Kind: event.KindMessage}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(7 * time.Millisecond)
		}
		for range 50 { // much at once, but with rests
			for range 300 {
				if _, err := h.sender.Submit(h.ctx, Draft{Kind: event.KindMessage}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if h.opened.Load() > 0 {
			t.Errorf("%d streams are opened", h.opened.Load())
		}
		following := func() float64 { return value(t, h.sender.s.metrics.windowed) }
		for i := range 2 {
			h.flood(2 * time.Second)
			if h.opened.Load() != int64(2*(i+1)) || following() != 2 {
				t.Errorf("%d opened, %v follow", h.opened.Load(), following())
			}
			time.Sleep(busyFor + 2*time.Second)
			if following() > 0 {
				t.Errorf("%v follow one who is idle", following())
			}
			time.Sleep(askAgain)
		}
	})
}

// Where nobody knows the protocol, a room works as before, and is asked seldom.
func TestARoomWithoutAcknowledgementsWorks(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHall(t, every(time.Millisecond), every(time.Millisecond))
		h.refuse = true
		sent := h.flood(25 * time.Second)
		if batches := sent / event.MaxBatchEvents; batches < 2490 {
			t.Errorf("%d batches of 2,500", batches)
		}
		if h.opened.Load() > 6 {
			t.Errorf("asked %d times", h.opened.Load())
		}
	})
}

func TestOfManyMembersSomeFollow(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHall(t, make([]func(int) time.Duration, 100)...)
		for _, m := range h.stores {
			m.takes = every(time.Millisecond)
		}
		h.flood(15 * time.Second)
		if h.opened.Load() != maxFollow {
			t.Errorf("%d streams are opened", h.opened.Load())
		}
	})
}

// A direct chat acknowledges in its own way.
func TestADirectChatHasNoWindow(t *testing.T) {
	for _, direct := range []bool{false, true} {
		l := unjoined(t, newMemory())
		l.direct, l.way = direct, crowd{}
		s := newBusy(l, unwatched(t))
		for a := newAuthor(1); a.seq < busyEvents; {
			s.sent(a.write(t, testTime, busyEvents/busyRun), false)
		}
		if s.is() == direct {
			t.Errorf("direct %v: busy %v", direct, s.is())
		}
		s.end()
	}
}
