package event

import (
	"math"
	"sync"
	"time"
)

// HLC is a hybrid time: 48 bits of Unix milliseconds ‖ 16 bits of counter. It is what
// its author claims. spec: 03-events §3.5
type HLC uint64

const (
	counterBits = 16
	maxMillis   = 1<<48 - 1

	// MaxDrift bounds how far a clock may run beyond its wall clock, and the time that
	// one batch may span.
	MaxDrift = 10 * time.Second
)

// HLCAt returns the first hybrid time of t's millisecond; times outside 48 bits of
// milliseconds become the nearest end.
func HLCAt(t time.Time) HLC {
	return HLC(min(max(t.UnixMilli(), 0), maxMillis)) << counterBits
}

// Millis returns the Unix milliseconds.
func (h HLC) Millis() int64 { return int64(h >> counterBits) }

// Second returns the whole Unix seconds, the timestamp of reconciliation.
func (h HLC) Second() int64 { return h.Millis() / 1000 }

// Time returns the wall time, to the millisecond.
func (h HLC) Time() time.Time { return time.UnixMilli(h.Millis()) }

// Ahead returns how far h lies beyond wall; negative when it is in the past. More than
// a time.Duration holds (292 years) is returned as the most it holds.
func Ahead(wall time.Time, h HLC) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	ms := h.Millis() - min(max(wall.UnixMilli(), 0), maxMillis)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}

// Clock gives the hybrid times of one author. It is told the wall time and never
// reads it. The zero Clock is ready; all methods may be called concurrently.
// spec: 03-events §8
type Clock struct {
	mu   sync.Mutex
	last HLC
}

// Now returns a time after every one it gave or observed, unless the wall clock
// stepped back by more than MaxDrift: then it starts again from the wall clock.
func (c *Clock) Now(wall time.Time) HLC {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := max(HLCAt(wall), c.last+1)
	if Ahead(wall, next) > MaxDrift {
		next = max(HLCAt(wall), 1)
	}
	c.last = next
	return next
}

// Observe takes in the time of a received event, so that what is written after it also
// sorts after it. A time more than MaxDrift beyond wall changes nothing.
func (c *Clock) Observe(wall time.Time, h HLC) {
	if Ahead(wall, h) > MaxDrift {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, h)
}
