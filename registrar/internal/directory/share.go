package directory

import (
	"math/rand/v2"
	"time"

	"github.com/parley-chat/parley/internal/heartbeat"
)

// Interval is how long a node should wait between two heartbeats.
func (d *Directory) Interval() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := time.Duration(d.share.here) * time.Second / perSecond
	return min(max(heartbeat.MinInterval, all.Truncate(time.Millisecond)), heartbeat.MaxInterval)
}

// Overloaded reports whether a node that reports here should rather report to
// another registrar. While this registrar has more than half as many again as the
// mean, and 5, it is true for as many as it has too many, drawn by lot: if all left
// at once the next would be overloaded.
func (d *Directory) Overloaded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return rand.Float64() < d.share.excess()
}

// share is how nodes are spread over registrars. Registrars report to themselves
// and do not count.
type share struct {
	here       int // nodes that are online or suspect, registrars too
	nodes      int // of them, those that are no registrars,
	own        int // and those that report to this one
	registrars int // online
}

func (s *share) count(e *entry, self Key) {
	if e.state >= Offline {
		return
	}
	s.here++
	switch {
	case e.member.Registrar && e.state == Online:
		s.registrars++
	case !e.member.Registrar:
		s.nodes++
		if e.registrar == self {
			s.own++
		}
	}
}

// excess is which part of the own nodes is too many.
func (s *share) excess() float64 {
	if s.registrars < 2 || s.own == 0 {
		return 0
	}
	fair := 1.5*float64(s.nodes)/float64(s.registrars) + 5
	return max(0, 1-fair/float64(s.own))
}
