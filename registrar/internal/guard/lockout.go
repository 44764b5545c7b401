package guard

import "time"

// punishment says what failures lead to.
type punishment struct {
	free        int // failures before the first lock; at least 1
	first, most time.Duration
}

// lock returns for how long the n-th failure locks.
func (p punishment) lock(n uint32) time.Duration {
	over := int(n) - p.free
	if over < 0 {
		return 0
	}
	if over > 62 || p.first<<over>>over != p.first {
		return p.most
	}
	return min(p.most, p.first<<over)
}

// failure is what is counted for one key. Times are nanoseconds since the
// start.
type failure struct {
	count uint32
	last  int64
	until int64 // locked until then
}

// maxCount is far beyond what leads to the longest lock.
const maxCount = 1 << 16

type failures struct {
	forget int64
	table  table[failure]
}

func newFailures(forget time.Duration, entries int) failures {
	return failures{int64(forget), newTable[failure](entries)}
}

// oldAt reports whether time has forgotten a failure. One that is as far ahead
// was counted before a clock was set back.
func (f *failures) oldAt(e *failure, at int64) bool {
	age := at - e.last
	return age >= f.forget || age <= -f.forget
}

// locked returns for how long a key is locked yet, at most for most, which a
// clock that was set back might exceed.
func (f *failures) locked(key uint64, at int64, most time.Duration) time.Duration {
	s, tag := f.table.lock(key)
	defer s.mu.Unlock()
	e := s.findLocked(tag)
	if e == nil || f.oldAt(e, at) {
		return 0
	}
	return min(most, time.Duration(max(0, e.until-at)))
}

func (f *failures) add(key uint64, at int64, p punishment) {
	s, tag := f.table.lock(key)
	defer s.mu.Unlock()
	e := s.findLocked(tag)
	if e == nil {
		e = s.makeLocked(tag, func(e *failure) int64 { return f.harm(e, at) })
	} else if f.oldAt(e, at) {
		*e = failure{}
	}
	e.count, e.last = min(e.count+1, maxCount), at
	if lock := p.lock(e.count); lock > 0 {
		e.until = max(e.until, at+int64(lock))
	}
}

// harm orders entries by the number of failures, then by the last one.
func (f *failures) harm(e *failure, at int64) int64 {
	if f.oldAt(e, at) {
		return 0
	}
	return int64(e.count)<<43 | e.last>>21
}

func (f *failures) clear(key uint64) {
	s, tag := f.table.lock(key)
	defer s.mu.Unlock()
	s.dropLocked(tag)
}
