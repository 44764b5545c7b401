package lan

import (
	"net/netip"
	"time"
)

// How many packets that name the service are parsed: a node sends ten in its
// first ten seconds and one a minute then, and a thousand nodes may start at
// once when their switch comes back.
const (
	perSource   = 5.0 // a second
	sourceBurst = 40.0
	perAll      = 500.0
	allBurst    = 2000.0
	maxSources  = 2048
)

// budget bounds the work that packets cause: for each sender, so that one
// noisy machine does not make a node deaf to others, and in all, since senders
// can be forged. It is owned by one reader.
type budget struct {
	all     bucket
	sources map[netip.Addr]bucket
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b bucket) refill(now time.Time, rate, burst float64) bucket {
	return bucket{min(b.tokens+rate*now.Sub(b.at).Seconds(), burst), now}
}

func newBudget(now time.Time) *budget {
	return &budget{all: bucket{allBurst, now}, sources: map[netip.Addr]bucket{}}
}

// take reports whether a packet from a sender may be parsed now. When too many
// senders are remembered those at rest are forgotten; if none is, the sender
// is one of a flood of forged ones and has to share the budget for all.
func (b *budget) take(from netip.Addr, now time.Time) bool {
	s, known := b.sources[from]
	if !known {
		s = bucket{sourceBurst, now}
	}
	s = s.refill(now, perSource, sourceBurst)
	b.all = b.all.refill(now, perAll, allBurst)
	if s.tokens < 1 || b.all.tokens < 1 {
		return false
	}
	s.tokens--
	b.all.tokens--
	if !known && len(b.sources) >= maxSources {
		b.forget(now)
	}
	if known || len(b.sources) < maxSources {
		b.sources[from] = s
	}
	return true
}

func (b *budget) forget(now time.Time) {
	for a, s := range b.sources {
		if s.refill(now, perSource, sourceBurst).tokens >= sourceBurst {
			delete(b.sources, a)
		}
	}
}
