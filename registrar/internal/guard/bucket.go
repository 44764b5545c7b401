package guard

import (
	"sync/atomic"
	"time"
)

// pace is a rate as a bucket counts it: a token is worth some time, and the
// whole bucket is. A bucket is one number, the time at which it is full again
// (the generic cell rate algorithm, ITU-T I.371 §A): what is full now needs no
// memory.
type pace struct{ token, depth int64 } // nanoseconds

// pace returns at least one token at once and at most one a nanosecond.
func (r Rate) pace() pace {
	token := max(1, int64(float64(time.Second)/max(r.PerSecond, 1e-6)))
	return pace{token, token * int64(max(1, r.Burst))}
}

// take returns when a bucket that is full at the time full will be so with a
// token less, and 0; or, if it has none, when it will be full, and how long it
// has none yet. A time further off than an empty bucket's, after a clock was
// set back, becomes an empty bucket's.
func (p pace) take(full, at int64) (next int64, wait time.Duration) {
	full = min(max(full, at), at+p.depth)
	if over := full + p.token - at - p.depth; over > 0 {
		return full, time.Duration(over)
	}
	return full + p.token, 0
}

// buckets are those of many keys.
type buckets struct {
	pace
	table table[int64]
}

func newBuckets(r Rate, entries int) buckets { return buckets{r.pace(), newTable[int64](entries)} }

func (b *buckets) take(key uint64, at int64) time.Duration {
	s, tag := b.table.lock(key)
	defer s.mu.Unlock()
	full := s.findLocked(tag)
	if full == nil {
		// The fullest makes room: it loses least by being forgotten.
		full = s.makeLocked(tag, func(full *int64) int64 { return *full })
	}
	next, wait := b.pace.take(*full, at)
	*full = next
	return wait
}

// look returns how long key has nothing yet.
func (b *buckets) look(key uint64, at int64) time.Duration {
	s, tag := b.table.lock(key)
	defer s.mu.Unlock()
	full := s.findLocked(tag)
	if full == nil {
		return 0
	}
	_, wait := b.pace.take(*full, at)
	return wait
}

func (b *buckets) giveBack(key uint64) {
	s, tag := b.table.lock(key)
	defer s.mu.Unlock()
	if full := s.findLocked(tag); full != nil {
		*full -= b.token
	}
}

// shared is a bucket outside any table.
type shared struct {
	pace
	full atomic.Int64
}

func (b *shared) take(at int64) time.Duration {
	for {
		full := b.full.Load()
		next, wait := b.pace.take(full, at)
		if next == full || b.full.CompareAndSwap(full, next) {
			return wait
		}
	}
}

func (b *shared) look(at int64) time.Duration {
	_, wait := b.pace.take(b.full.Load(), at)
	return wait
}

func (b *shared) giveBack() { b.full.Add(-b.token) }
