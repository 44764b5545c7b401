package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are counted from a microsecond to ten minutes, within a hundredth.
const (
	lowest  = int64(time.Microsecond)
	highest = int64(10 * time.Minute)
	digits  = 2
)

// seen is what a receiver has seen of the stamped messages of all senders.
type seen struct {
	mu      sync.Mutex
	wake    chan struct{} // closed when something comes, while somebody waits
	came    []bits        // of each sender, which messages
	took    *hdrhistogram.Histogram
	first   time.Time
	last    time.Time
	silence time.Duration
	twice   int
}

func newSeen(senders int) *seen {
	return &seen{came: make([]bits, senders), took: hdrhistogram.New(lowest, highest, digits)}
}

// note takes note of a text that came now.
func (s *seen) note(text string, now time.Time) {
	sender, index, at, ok := stamped(text)
	if !ok || sender < 0 || sender >= len(s.came) || index < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.came[sender].set(index) {
		s.twice++
		return
	}
	_ = s.took.RecordValue(min(max(int64(now.Sub(at)), lowest), highest)) // fails only out of range
	if s.first.IsZero() {
		s.first = now
	} else {
		s.silence = max(s.silence, now.Sub(s.last))
	}
	s.last = now
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// bits is a set of small numbers.
type bits struct {
	words []uint64
	n     int
}

// set puts i into the set and reports whether it was not in it.
func (b *bits) set(i int) bool {
	for len(b.words) <= i/64 {
		b.words = append(b.words, 0)
	}
	if b.words[i/64]&(1<<(i%64)) != 0 {
		return false
	}
	b.words[i/64] |= 1 << (i % 64)
	b.n++
	return true
}

// missing counts what has not come of want messages a sender, the own ones left
// out.
func (s *seen) missing(want []int, own voices) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sender := range want {
		if !own.has(sender) {
			n += want[sender] - s.came[sender].n
		}
	}
	return n
}

// next returns a channel that is closed when something more has come.
func (s *seen) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake == nil {
		s.wake = make(chan struct{})
	}
	return s.wake
}

// percentiles puts latencies into a result.
func (c *Carried) percentiles(h *hdrhistogram.Histogram) {
	at := func(q float64) float64 { return ms(time.Duration(h.ValueAtQuantile(q))) }
	c.P50, c.P90, c.P99, c.Max = at(50), at(90), at(99), ms(time.Duration(h.Max()))
}

// tell puts what was seen into a tally.
func (s *seen) tell(t *Tally) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Twice, t.Last, t.Silence = s.twice, s.last, s.silence
	t.Latencies, err = s.took.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return err
}
