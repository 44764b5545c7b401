package admission

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// ErrBackoff means that a peer was refused lately and is not dialled for now.
var ErrBackoff = errors.New("peer was refused lately")

// failure is the memory of a refused peer.
type failure struct {
	count int
	until time.Time
}

// backoffs remembers refused peers, at most maxBackoffs; one of those whose
// time is over, or else any, is forgotten for a new one.
type backoffs struct {
	failed map[peer.ID]failure
}

// fail notes a refusal and returns how long p is not to be dialled.
func (b *backoffs) fail(p peer.ID, now time.Time) time.Duration {
	f, known := b.failed[p]
	if !known && len(b.failed) >= maxBackoffs {
		b.evict(now)
	}
	wait := lastBackoff
	if f.count < 16 {
		wait = min(firstBackoff<<f.count, lastBackoff)
	}
	wait += time.Duration(rand.Int64N(int64(wait / 5))) // so that two sides do not meet in step
	f.count++
	f.until = now.Add(wait)
	b.failed[p] = f
	return wait
}

func (b *backoffs) evict(now time.Time) {
	var any peer.ID
	for p, f := range b.failed {
		any = p
		if now.After(f.until) {
			break
		}
	}
	delete(b.failed, any)
}

func (b *backoffs) check(p peer.ID, now time.Time) error {
	if f, ok := b.failed[p]; ok && now.Before(f.until) {
		return ErrBackoff
	}
	return nil
}

func (b *backoffs) clear(p peer.ID) { delete(b.failed, p) }

// count is how often p was refused since it was last admitted.
func (b *backoffs) count(p peer.ID) int { return b.failed[p].count }
