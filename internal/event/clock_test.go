package event

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestClockShowsTheWallAndCountsWithinAMillisecond(t *testing.T) {
	var c Clock
	if got := c.Now(noon); got != HLCAt(noon) || !got.Time().Equal(noon) {
		t.Errorf("first time %v", got.Time())
	}
	if got := c.Now(noon); got != HLCAt(noon)+1 {
		t.Errorf("second time %x", got)
	}
	later := noon.Add(time.Millisecond)
	if got := c.Now(later); got != HLCAt(later) {
		t.Errorf("next millisecond %x", got)
	}
}

func TestWhatIsWrittenAfterwardsSortsAfterwards(t *testing.T) {
	var c Clock
	seen := HLCAt(noon.Add(9 * time.Second))
	c.Observe(noon, seen)
	if got := c.Now(noon); got != seen+1 {
		t.Errorf("got %v after %v", got.Time(), seen.Time())
	}
}

// spec: 03-events M44
func TestFarFutureDoesNotMoveTheClock(t *testing.T) {
	var c Clock
	c.Observe(noon, HLCAt(noon.Add(MaxDrift+time.Millisecond)))
	c.Observe(noon, HLC(1<<64-1))
	if got := c.Now(noon); got != HLCAt(noon) {
		t.Errorf("dragged to %v", got.Time())
	}
}

// spec: 03-events M43
func TestClockFallsBackWhenTheWallSteps(t *testing.T) {
	var c Clock
	c.Now(noon)
	back := noon.Add(-time.Hour)
	if got := c.Now(back); got != HLCAt(back) {
		t.Errorf("after a step of an hour: %v", got.Time())
	}
	if got := c.Now(back.Add(-5 * time.Second)); got != HLCAt(back)+1 {
		t.Errorf("a small step should be counted through: %v", got.Time())
	}
}

func TestClockOutsideItsRange(t *testing.T) {
	var c Clock
	if got := c.Now(time.Unix(-1, 0)); got != 1 {
		t.Errorf("before 1970: %d, but 0 is no time", got)
	}
	if got := HLCAt(time.Unix(1<<40, 0)); got.Millis() != maxMillis {
		t.Errorf("far future: %d", got.Millis())
	}
	c.Observe(noon, HLCAt(noon.Add(MaxDrift))|0xffff)
	if got := c.Now(noon); Ahead(noon, got) > MaxDrift {
		t.Errorf("the counter ran over the bound: %v", got.Time())
	}
}

func TestAheadAndSecond(t *testing.T) {
	h := HLCAt(noon.Add(2500 * time.Millisecond))
	if Ahead(noon, h) != 2500*time.Millisecond || Ahead(h.Time().Add(time.Second), h) != -time.Second {
		t.Error("ahead")
	}
	if h.Second() != noon.Unix()+2 {
		t.Error("second")
	}
}

// Centuries of milliseconds do not fit into a time.Duration. An event that far ahead must
// not wrap round into the past, where it would pass for an old one and drag the clock.
func TestCenturiesAheadAreNotThePast(t *testing.T) {
	for bit := range 64 {
		h := HLC(1)<<bit | HLCAt(noon)
		if Ahead(noon, h) < 0 {
			t.Errorf("bit %d: %v ahead", bit, Ahead(noon, h))
		}
		var c Clock
		c.Observe(noon, h)
		if got := c.Now(noon); Ahead(noon, got) > MaxDrift {
			t.Errorf("bit %d: dragged to %v", bit, got.Time())
		}
	}
	if Ahead(time.Unix(1<<40, 0), HLCAt(noon)) > 0 {
		t.Error("a wall clock far ahead")
	}
}

// Whatever comes from outside: no time lies more than MaxDrift beyond the wall, and
// without a backward step each is later than all given and taken in before.
//
// spec: 03-events M43, M44
func TestClockPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Clock
		wall, last := noon, HLC(0)
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			wall = wall.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "passed")) * time.Millisecond)
			heard := HLCAt(wall.Add(time.Duration(rapid.IntRange(-20_000, 20_000).Draw(t, "heard")) * time.Millisecond))
			c.Observe(wall, heard)
			if Ahead(wall, heard) <= MaxDrift {
				last = max(last, heard)
			}
			now := c.Now(wall)
			if now <= last || Ahead(wall, now) > MaxDrift {
				t.Fatalf("%d after %d, %v ahead", now, last, Ahead(wall, now))
			}
			last = now
		}
	})
}

func TestClockIsSharedByGoroutines(t *testing.T) {
	var c Clock
	var wg sync.WaitGroup
	times := make([][]HLC, 4)
	for g := range times {
		wg.Go(func() {
			for range 100 {
				times[g] = append(times[g], c.Now(noon))
				c.Observe(noon, HLCAt(noon))
			}
		})
	}
	wg.Wait()
	seen := map[HLC]bool{}
	for _, list := range times {
		for _, h := range list {
			if seen[h] {
				t.Fatal("a time was given twice")
			}
			seen[h] = true
		}
	}
}
