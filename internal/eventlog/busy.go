package eventlog

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

const (
	busySecond = 4096    // events that make a second worth being kept when it is listed; one that is divided always is
	busyHeld   = 1 << 17 // ids kept of more than two seconds, 32 bytes each
	busyMost   = 1 << 20 // ids kept of one or two, at the edges of a range that divides both
)

// busySeconds keeps the ids of seconds that reconciliation divides, sorted: it
// divides a busy one many times over, and each time would read all its events.
// All ranges share it. It holds those asked for last. A second with more than limit is
// not kept: each question reads it, 2 s for a million events.
type busySeconds struct {
	limit uint64 // busyMost

	mu   sync.Mutex // held while a second is read, so that only one is at a time
	list []*second  // asked for last is last
	held uint64     // ids
}

type second struct {
	no   uint32
	at   uint64
	sum  reconcile.Sum // what the ids are
	ids  []event.ID    // ascending; not changed any more
	read time.Time
	took time.Duration
}

// get returns the ids of a second, which read adds in any order. They are not to be
// changed. Those of a second of more than busyHeld, to which others come all the time,
// would be read again for each question: they may be as old as ten times what reading
// takes, and a comparison finds the rest the next time.
func (b *busySeconds) get(no uint32, at uint64, sum reconcile.Sum, read func(add func(event.ID)) error) ([]event.ID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.IndexFunc(b.list, func(s *second) bool { return s.no == no && s.at == at }); i >= 0 {
		s := b.list[i]
		b.list = append(slices.Delete(b.list, i, i+1), s)
		old := s.sum.Count > busyHeld && s.sum.Count < sum.Count && time.Since(s.read) < 10*s.took
		if s.sum == sum || old {
			return s.ids, nil
		}
		b.drop(len(b.list) - 1)
	}
	for n := len(b.list); n > 0 && (n > 1 && b.held+sum.Count > busyHeld || b.held+sum.Count > busyMost); n-- {
		b.drop(0)
	}
	start := time.Now()
	s := &second{no: no, at: at, ids: make([]event.ID, 0, sum.Count)}
	if err := read(func(id event.ID) {
		s.ids = append(s.ids, id)
		s.sum.Add((*[32]byte)(&id)) // what was read may be older than sum
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(s.ids, func(a, b event.ID) int { return bytes.Compare(a[:], b[:]) })
	s.read, s.took = time.Now(), time.Since(start)
	b.list, b.held = append(b.list, s), b.held+s.sum.Count
	return s.ids, nil
}

func (b *busySeconds) drop(i int) {
	b.held -= b.list[i].sum.Count
	b.list = slices.Delete(b.list, i, i+1)
}
