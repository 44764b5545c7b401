package delivery

import (
	"context"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
)

// Pace and bounds of asking. spec: 04-delivery §7
const (
	maxTold    = 64   // peers whose triggers wait
	maxSources = 3    // peers asked for one reason
	maxTries   = 4096 // ids whose failed tries are remembered
	gathers    = 5    // times in its patience it looks for what has waited long enough
	firstRetry = time.Second
	lastRetry  = 10 * time.Minute
)

// fetcher asks peers for events they told of, once and by id; what that does
// not bring is left to the syncer. Each trigger waits as long as patience says and
// is then worked off, with others of its peer, by one goroutine.
type fetcher struct {
	l     *Log
	wake  chan struct{}
	tries *lru.Cache[event.ID, try] // used by run alone

	patience patience

	mu   sync.Mutex
	told map[peer.ID][]hint // oldest first; "": somebody
}

// hint is an event that a peer has, or ought to have.
type hint struct {
	id event.ID
	at time.Time // when it was told of
}

// try is how often something was tried in vain.
type try struct {
	n    int
	next time.Time
}

// again returns the try after one that failed at a time.
func (t try) again(now time.Time) try {
	return try{t.n + 1, now.Add(min(firstRetry<<min(t.n, 20), lastRetry))}
}

func newFetcher(l *Log) *fetcher {
	tries, err := lru.New[event.ID, try](maxTries)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &fetcher{l: l, wake: make(chan struct{}, 1), told: make(map[peer.ID][]hint), tries: tries}
}

// Told says that p has these events, or something that names them as parents:
// what is not stored here is asked for. At most 64 wait; a peer that is not
// connected shares them with all such.
func (l *Log) Told(p peer.ID, ids []event.ID) {
	f := l.fetcher
	if p != "" && l.s.cfg.Host.Network().Connectedness(p) != network.Connected {
		p = ""
	}
	f.mu.Lock()
	if has, ok := f.told[p]; ok || len(f.told) < maxTold {
		for now := time.Now(); len(ids) > 0 && len(has) < maxWant; ids = ids[1:] {
			has = append(has, hint{ids[0], now})
		}
		f.told[p] = has
	}
	f.mu.Unlock()
	signal(f.wake)
}

// signal wakes who waits for a channel of one place.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// take returns what was told of before a time, and whether anything was later.
func (f *fetcher) take(before time.Time) (due map[peer.ID][]event.ID, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	due = make(map[peer.ID][]event.ID)
	for p, hints := range f.told {
		n := 0
		for ; n < len(hints) && !hints[n].at.After(before); n++ {
			due[p] = append(due[p], hints[n].id)
		}
		if n == len(hints) {
			delete(f.told, p)
			continue
		}
		f.told[p], more = hints[n:], true
	}
	return due, more
}

// run works triggers off.
func (f *fetcher) run() {
	ctx := f.l.ctx
	for more := false; ; {
		if !more {
			select {
			case <-f.wake:
			case <-ctx.Done():
				return
			}
		}
		wait := f.patience.now(time.Now())
		if !pause(ctx, wait/gathers) {
			return
		}
		var due map[peer.ID][]event.ID
		due, more = f.take(time.Now().Add(-wait))
		for p, ids := range due {
			if err := f.fetch(ctx, p, ids); err != nil && ctx.Err() == nil {
				f.l.log.Warn("fetching failed", "peer", p, "err", err)
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fetch asks p for what it told of, and stores it after what precedes it. If
// that is not all that is missing, it has the log compared with p's, and where p
// gave nothing, with somebody's. Errors are the store's.
func (f *fetcher) fetch(ctx context.Context, p peer.ID, ids []event.ID) error {
	want, err := f.wanted(ids)
	if err != nil || len(want) == 0 {
		return err
	}
	if p == "" {
		sources := f.l.sources("")
		if len(sources) == 0 {
			return nil
		}
		p = sources[0]
	}
	g, failed := f.gather(ctx, p, want)
	if g.deep && f.l.syncer.busy(p) {
		f.l.Sync(p) // which brings it, and all before it, in order
		return nil
	}
	got, err := f.l.admit(ctx, p, g.oldestFirst())
	if failed = errors.Join(failed, err); failed != nil {
		f.l.log.Debug("peer gave no events", "peer", p, "err", failed)
	}
	lacking, err := f.settle(maps.Keys(g.asked))
	if g.deep || got.missing || len(got.refused) > 0 || lacking {
		f.l.Sync(p)
	}
	if lacking {
		f.l.syncer.lost()
	}
	return err
}

// wanted are the ids that are not stored, not cut and not known to be asked for in
// vain, each once.
func (f *fetcher) wanted(ids []event.ID) ([]event.ID, error) {
	now, kept := time.Now(), ids[:0]
	seen := make(map[event.ID]struct{}, len(ids))
	for _, id := range ids {
		if _, twice := seen[id]; twice {
			continue
		}
		seen[id] = struct{}{}
		if t, _ := f.tries.Peek(id); t.next.After(now) {
			continue
		}
		ok, err := f.l.s.cfg.Store.Has(id)
		if err != nil {
			return nil, err
		}
		if !ok && !f.l.s.cfg.Store.Refused(id) {
			kept = append(kept, id)
		}
	}
	return kept, nil
}

// settle notes which of the ids that were asked for have not come: they are
// asked for less and less often.
func (f *fetcher) settle(want iter.Seq[event.ID]) (lacking bool, err error) {
	for id := range want {
		ok, err := f.l.s.cfg.Store.Has(id)
		if err != nil {
			return lacking, err
		}
		if ok || f.l.s.cfg.Store.Refused(id) {
			f.tries.Remove(id)
			continue
		}
		lacking = true
		t, _ := f.tries.Get(id)
		f.tries.Add(id, t.again(time.Now()))
	}
	return lacking, nil
}

// sources are p, if it is one, and some other peers that replicate the log:
// near ones first, but not always, or what no near one has would never come.
func (l *Log) sources(p peer.ID) []peer.ID {
	var sources []peer.ID
	if p != "" {
		sources = append(sources, p)
	}
	others := l.way.Peers()
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	if rand.N(4) > 0 {
		near, far := parted(others, l.s.cfg.Near)
		others = append(near, far...)
	}
	for _, o := range others {
		if len(sources) == maxSources {
			break
		}
		if o != p {
			sources = append(sources, o)
		}
	}
	return sources
}

func parted(peers []peer.ID, is func(peer.ID) bool) (yes, no []peer.ID) {
	for _, p := range peers {
		if is(p) {
			yes = append(yes, p)
		} else {
			no = append(no, p)
		}
	}
	return yes, no
}
