package delivery

import (
	"sync"
	"time"
)

// How long gossip has to bring what seems to be missing. spec: 04-delivery §7
const (
	minPatience  = 250 * time.Millisecond
	mostPatience = 2 * time.Second
	patienceHalf = 5 * time.Second // in which more than the least is halved
)

// patience is how long a log waits before it asks for what seems to be missing.
// In a crowded room what gossip brings is in disorder by more than a moment;
// fetching it as well would make the crowd worse. So it grows each time gossip
// brings what was fetched already, and shrinks with time. The zero value is ready.
type patience struct {
	mu   sync.Mutex
	more time.Duration // than the least
	at   time.Time     // when that was right
}

// now returns it.
func (p *patience) now(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shrink(now)
	return minPatience + p.more
}

// hasty says that something was fetched which gossip brought anyway.
func (p *patience) hasty(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shrink(now)
	p.more = min(p.more+minPatience, mostPatience-minPatience)
}

func (p *patience) shrink(now time.Time) {
	for p.more > 0 && now.Sub(p.at) >= patienceHalf {
		p.at = p.at.Add(patienceHalf)
		if p.more /= 2; p.more < minPatience/16 {
			p.more = 0
		}
	}
	if p.more == 0 {
		p.at = now
	}
}
