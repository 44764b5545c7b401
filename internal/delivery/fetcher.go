package delivery

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
)

// Pace and bounds of fetching. spec: 04-delivery §7
const (
	patience   = 250 * time.Millisecond // for gossip to bring what seems to be missing
	goOn       = time.Second            // before a round that reached its bound is resumed
	askAnyway  = 30 * time.Second       // how often somebody is asked for his heads, told or not
	maxRound   = 4096                   // events that one trigger may bring
	maxFound   = 1024                   // ids that one round looks for at a time
	maxSources = 3                      // peers asked in a round
	maxTold    = 64                     // peers whose triggers wait
	maxTries   = 4096                   // ids whose failed tries are remembered
	firstRetry = time.Second
	lastRetry  = 10 * time.Minute
)

// fetcher asks peers for what is missing of one log. Triggers gather for a
// moment and are then worked off, peer by peer, by one goroutine.
type fetcher struct {
	l     *Log
	wake  chan struct{}
	tries *lru.Cache[event.ID, try] // used by run alone

	mu   sync.Mutex
	told map[peer.ID]trigger
}

// trigger is a reason to ask a peer; somebody, if the peer is "".
type trigger struct {
	ids   []event.ID // which the peer has, or ought to have
	heads bool       // ask for its heads, whatever they are
}

// try is how often an id was asked for in vain.
type try struct {
	n    int
	next time.Time
}

func newFetcher(l *Log) *fetcher {
	tries, err := lru.New[event.ID, try](maxTries)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &fetcher{l: l, wake: make(chan struct{}, 1), told: make(map[peer.ID]trigger), tries: tries}
}

// Told says that p has these events, or something that names them as parents:
// what is not stored here is fetched from it, with its ancestors. At most 64
// wait; a peer that is not connected shares them with all such.
func (l *Log) Told(p peer.ID, ids []event.ID) { l.fetcher.trigger(p, trigger{ids: ids}) }

// Ask asks p for the heads it has, and fetches them and their ancestors.
func (l *Log) Ask(p peer.ID) { l.fetcher.trigger(p, trigger{heads: true}) }

// lost says that something was dropped and nobody knows what.
func (f *fetcher) lost() { f.trigger("", trigger{heads: true}) }

func (f *fetcher) trigger(p peer.ID, t trigger) {
	if p != "" && f.l.s.cfg.Host.Network().Connectedness(p) != network.Connected {
		p = ""
	}
	f.mu.Lock()
	if has, ok := f.told[p]; ok || len(f.told) < maxTold {
		has.ids = append(has.ids, t.ids[:min(len(t.ids), maxWant-len(has.ids))]...)
		has.heads = has.heads || t.heads
		f.told[p] = has
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fetcher) take() map[peer.ID]trigger {
	f.mu.Lock()
	defer f.mu.Unlock()
	told := f.told
	f.told = make(map[peer.ID]trigger)
	return told
}

// run works triggers off. Now and then it asks somebody without any: who is
// told nothing, for the signals that would tell him are crowded out, falls
// behind by no more than that.
func (f *fetcher) run() {
	ctx := f.l.ctx
	anyway := time.NewTicker(askAnyway)
	defer anyway.Stop()
	for {
		select {
		case <-f.wake:
		case <-anyway.C:
			f.lost()
		case <-ctx.Done():
			return
		}
		if !pause(ctx, patience) {
			return
		}
		resume := false
		for p, t := range f.take() {
			rest, err := f.round(ctx, p, t)
			if err != nil && ctx.Err() == nil {
				f.l.log.Warn("fetching failed", "peer", p, "err", err)
			}
			if rest != nil {
				f.trigger(p, *rest)
				resume = true
			}
		}
		if resume && !pause(ctx, goOn) {
			return
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

// sources are p, if it is one, and some others that replicate the log.
func (f *fetcher) sources(p peer.ID) []peer.ID {
	var sources []peer.ID
	if p != "" {
		sources = append(sources, p)
	}
	others := f.l.way.Peers()
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
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
