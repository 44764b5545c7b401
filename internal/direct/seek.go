package direct

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Pace of looking for those who are away. spec: 07-direct §3
const (
	seekApart  = time.Second      // one after the other, so far apart
	firstSeek  = 10 * time.Second // before the same one is looked for again; then doubled
	lastSeek   = 30 * time.Minute
	seekAgain  = time.Minute // at most so often are all due because somebody was met
	afterStart = 5 * time.Second
)

// seeker looks for those for whom something waits and who are not here: where
// they are may be known to somebody. One goroutine does.
type seeker struct {
	waits func(event.Author) bool // something waits for him
	here  func(peer.ID) bool      // he is connected: it goes out by itself
	look  func(context.Context, peer.ID) error
	log   *slog.Logger
	wake  chan struct{}

	mu    sync.Mutex
	away  map[event.Author]*quest // at most maxChats and a few strangers
	hoped time.Time               // when all were made due last
}

// quest is one who is looked for.
type quest struct {
	tries int
	next  time.Time
}

// newSeeker begins with all chats: for whom nothing waits is soon left out.
func newSeeker(s *Service) *seeker {
	k := &seeker{
		waits: s.waits, look: s.cfg.Seek, log: s.log,
		here: func(p peer.ID) bool { return s.cfg.Host.Network().Connectedness(p) == network.Connected },
		wake: make(chan struct{}, 1), away: make(map[event.Author]*quest),
	}
	for _, a := range s.Chats() {
		k.want(a, afterStart)
	}
	return k
}

// want says that something waits for an author, who may be here in a moment.
// One who is looked for already keeps his turn.
func (k *seeker) want(a event.Author, after time.Duration) {
	if k == nil {
		return
	}
	k.mu.Lock()
	known := k.away[a] != nil
	if !known {
		k.away[a] = &quest{next: time.Now().Add(after)}
	}
	k.mu.Unlock()
	if !known {
		k.poke()
	}
}

// left says that an author was here and is not any more: if he is looked for, it
// begins anew.
func (k *seeker) left(a event.Author) {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.away[a] = &quest{next: time.Now().Add(firstSeek)}
	k.mu.Unlock()
	k.poke()
}

// hope makes all due soon: somebody was met who may know where they are.
func (k *seeker) hope() {
	if k == nil {
		return
	}
	now := time.Now()
	k.mu.Lock()
	if now.Sub(k.hoped) >= seekAgain {
		k.hoped = now
		for _, q := range k.away {
			if soon := now.Add(afterStart); q.next.After(soon) {
				q.next = soon
			}
		}
	}
	k.mu.Unlock()
	k.poke()
}

func (k *seeker) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run looks until ctx ends.
func (k *seeker) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var free time.Time // when the next may be looked for
	for {
		select {
		case <-k.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		a, next := k.first()
		if next.Before(free) {
			next = free
		}
		if wait := time.Until(next); wait > 0 {
			timer.Reset(wait)
			continue
		}
		if k.seek(ctx, a) {
			free = time.Now().Add(seekApart)
		}
		timer.Reset(0)
	}
}

// first returns who is due first, and when.
func (k *seeker) first() (first event.Author, next time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next = time.Now().Add(lastSeek)
	for a, q := range k.away {
		if q.next.Before(next) {
			first, next = a, q.next
		}
	}
	return first, next
}

// seek looks for one, if there is need, and reports whether it did.
func (k *seeker) seek(ctx context.Context, a event.Author) bool {
	if !k.waits(a) {
		k.mu.Lock()
		delete(k.away, a)
		k.mu.Unlock()
		return false
	}
	p := wire.PeerID(a)
	here := k.here(p)
	k.mu.Lock()
	q := k.away[a]
	if here {
		q.tries = 0 // that was a success: should he go, it begins anew
	}
	pause := min(firstSeek<<min(q.tries, 20), lastSeek)
	if !here {
		q.tries++
	}
	q.next = time.Now().Add(pause*3/4 + rand.N(pause/2))
	k.mu.Unlock()
	if here {
		return false
	}
	if err := k.look(ctx, p); err != nil {
		k.log.Debug("an absent peer is not found", "peer", p, "err", err)
	}
	return true
}

// waits reports whether something was said to an author that he has not
// acknowledged.
func (s *Service) waits(a event.Author) bool {
	if a == s.cfg.Author {
		return false
	}
	own, _, err := s.cfg.Store.Last(s.LogOf(a), s.cfg.Author)
	if err != nil || own == 0 {
		return false
	}
	r, err := s.recordOf(a)
	return err == nil && own > r.Acked.Seq
}
