package delivery

import "time"

// Pace of sending in a room. spec: 04-delivery §3
const (
	minPause = 10 * time.Millisecond  // between two batches, on average
	maxPause = 25 * time.Millisecond  // the same in large rooms
	pausePer = 200 * time.Microsecond // more pause for each peer in the topic
	burst    = 4                      // batches that may follow each other at once after a rest
	recount  = time.Second            // how often the peers are counted
)

// pace says how long a sender waits before the next batch: it is a token bucket.
// Who writes now and then never waits; one who writes much sends one batch a
// pause, with all in it that came meanwhile, for what others do for a batch
// costs more than what they do for an event. A direct chat has no pace: there
// one batch gathers what comes while the one before it goes to the disk.
type pace struct {
	l       *Log
	due     time.Time // when the bucket is as it was after the last batch, one pause each
	peers   int
	counted time.Time
}

// next takes note of a batch that is sent now and returns how long to wait
// before the next.
func (p *pace) next(now time.Time) time.Duration {
	pause := p.pause(now)
	if earliest := now.Add(-(burst - 1) * pause); p.due.Before(earliest) {
		p.due = earliest
	}
	p.due = p.due.Add(pause)
	return p.due.Sub(now)
}

func (p *pace) pause(now time.Time) time.Duration {
	if p.l.direct {
		return 0
	}
	if now.Sub(p.counted) >= recount {
		p.peers, p.counted = p.l.Peers(), now
	}
	if p.peers == 0 {
		return 0 // nobody has work with it
	}
	return min(max(minPause, time.Duration(p.peers)*pausePer), maxPause)
}
