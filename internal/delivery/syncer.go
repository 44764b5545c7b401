package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/budget"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/reconcile"
)

// Pace of reconciliation. spec: 06-sync §5
const (
	syncAnyway  = 30 * time.Second // how often somebody is compared with, told or not
	maxDue      = 64               // peers whose turn is to come
	maxPutOff   = 1024             // peers that failed, remembered
	maxRefused  = 1 << 14          // events that the store did not take, remembered
	maxSessions = 128              // with one peer in a turn
	meetAtOnce  = 3                // times that a peer who comes and goes is compared with at once,
	meetAgain   = 0.1              // and so often a second then
	busyTries   = 5                // with a peer that is busy, a second apart
)

// syncer has a log compared with peers, one after the other: with each that is
// met, with somebody when something was lost, and now and then in any case. One
// goroutine works it off.
type syncer struct {
	l      *Log
	wake   chan struct{}
	putOff *lru.Cache[peer.ID, try] // who broke the rules or took our time; used by run alone

	// oldest has sessions bring the oldest events first, since the store took
	// one for which parents are missing no more; refused are events that it did not
	// take then either. Used by run alone, or its session.
	oldest  bool
	refused *lru.Cache[event.ID, try]

	// lacking are parents that were missing when nothing differed, since when;
	// used by run alone.
	lacking map[event.ID]time.Time

	meetings *budget.Budgets[peer.ID]

	mu     sync.Mutex
	due    map[peer.ID]bool // "": somebody; true: just met, whom nothing of the past reaches by gossip
	now    peer.ID          // whose turn it is; "": nobody's
	synced Synced
}

// Synced says with whom a log was found equal last: all fingerprints and heads,
// and no ancestor above the floor missing. Its zero value says never. Of what is
// older than Floor, a second, it says nothing: should that be more than the own
// floor, it is the peer's word alone, who may be wrong or lie.
type Synced struct {
	Peer  peer.ID
	At    time.Time
	Floor uint64
}

func newSyncer(l *Log) *syncer {
	putOff, err := lru.New[peer.ID, try](maxPutOff)
	if err != nil {
		panic(err) // only for a size below one
	}
	refused, err := lru.New[event.ID, try](maxRefused)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &syncer{
		l: l, wake: make(chan struct{}, 1), putOff: putOff, refused: refused, due: make(map[peer.ID]bool),
		meetings: budget.New[peer.ID](meetAgain, meetAtOnce),
	}
}

// Sync has the log compared with p's soon, and what is missing fetched. A
// caller tells so when p, which has the log too, was met; peers that subscribe
// to a topic are met without it.
func (l *Log) Sync(p peer.ID) { l.syncer.trigger(p) }

// Synced returns with whom the log was in sync last, and when.
func (l *Log) Synced() Synced {
	l.syncer.mu.Lock()
	defer l.syncer.mu.Unlock()
	return l.syncer.synced
}

// refuse notes what the store does not take: it is left alone for some time.
func (y *syncer) refuse(batches []*event.Batch) {
	for _, b := range batches {
		for i := range b.Events {
			t, _ := y.refused.Get(b.Events[i].ID)
			y.refused.Add(b.Events[i].ID, t.again(time.Now()))
		}
	}
}

// lost says that something was dropped and nobody knows what.
func (y *syncer) lost() { y.trigger("") }

func (y *syncer) trigger(p peer.ID) { y.put(p, false) }

func (y *syncer) put(p peer.ID, met bool) {
	y.mu.Lock()
	if before, ok := y.due[p]; ok || len(y.due) < maxDue {
		y.due[p] = before || met
	}
	y.mu.Unlock()
	signal(y.wake)
}

// busy reports whether the log is being compared with p's, or soon will be.
func (y *syncer) busy(p peer.ID) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	_, due := y.due[p]
	return due || y.now == p
}

func (y *syncer) turnOf(p peer.ID) {
	y.mu.Lock()
	y.now = p
	y.mu.Unlock()
}

// turnNext is a peer whose turn it is.
type turnNext struct {
	peer.ID
	met bool
}

// hasMet reports whether one who was just met waits.
func (y *syncer) hasMet() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, met := range y.due {
		if met {
			return true
		}
	}
	return false
}

func (y *syncer) take() (due []turnNext) {
	y.mu.Lock()
	for p, met := range y.due {
		due = append(due, turnNext{p, met})
	}
	clear(y.due)
	y.mu.Unlock()
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	return due
}

// meet tells of each peer that subscribes to the topic, those too that had
// before.
func (y *syncer) meet(events *pubsub.TopicEventHandler) {
	defer events.Cancel()
	for {
		e, err := events.NextPeerEvent(y.l.ctx)
		if err != nil {
			return
		}
		if e.Type == pubsub.PeerJoin {
			y.met(e.Peer)
		}
	}
}

// met has p compared with at once, unless he subscribes again and again: then like anybody, as
// often as patience allows.
func (y *syncer) met(p peer.ID) { y.put(p, y.meetings.Take(p, 1)) }

// run has everybody's turn come: at once for one who was just met, and once
// more a moment later, since what is said before gossip has a mesh with him
// reaches him no other way.
func (y *syncer) run() {
	ctx := y.l.ctx
	anyway := time.NewTicker(syncAnyway)
	defer anyway.Stop()
	for {
		select {
		case <-y.wake:
		case <-anyway.C:
			y.lost()
		case <-ctx.Done():
			return
		}
		if !y.hasMet() && !pause(ctx, minPatience) {
			return
		}
		for _, p := range y.take() {
			if err := y.with(ctx, p.ID); err != nil && ctx.Err() == nil {
				y.l.log.Warn("reconciliation failed", "peer", p.ID, "err", err)
			}
			if p.met {
				y.trigger(p.ID)
			}
		}
	}
}

// with compares with p, or if that fails with others. Errors are the store's.
func (y *syncer) with(ctx context.Context, p peer.ID) error {
	if p != "" && y.l.s.cfg.Host.Network().Connectedness(p) != network.Connected {
		p = "" // it went; what it could not give others may
	}
	for _, source := range y.l.sources(p) {
		if t, _ := y.putOff.Peek(source); t.next.After(time.Now()) {
			continue
		}
		ok, err := y.turn(ctx, source)
		if ok || err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// turn holds sessions with p until nothing new comes. After a minute, what is
// left waits for the next turn, so that others have theirs.
func (y *syncer) turn(ctx context.Context, p peer.ID) (ok bool, err error) {
	release, err := y.l.s.turns.take(ctx, p)
	if err != nil {
		return false, nil
	}
	defer release()
	y.turnOf(p)
	defer y.turnOf("")
	began, busy := time.Now(), 0
	for n := 0; n < maxSessions && ctx.Err() == nil; n++ {
		s := session{y: y, l: y.l, p: p}
		err := s.run(ctx)
		if o, ok := y.l.way.(observer); ok && err == nil {
			o.Compared(s.seq, s.inSync)
		}
		y.l.s.metrics.synced.WithLabelValues(s.outcome(err)).Inc()
		if s.fresh > 0 {
			busy = 0
		}
		var own storeError
		switch {
		case errors.As(err, &own):
			return false, own.error
		case errors.Is(err, eventlog.ErrScattered) && !y.oldest:
			y.oldest = true // this time
		case isFault(err) || s.fresh == 0 && s.idle(err):
			t, _ := y.putOff.Get(p)
			y.putOff.Add(p, t.again(time.Now()))
			y.l.log.Debug("peer put off", "peer", p, "err", err)
			return false, nil
		case errors.Is(err, errBusy) && busy < busyTries:
			busy++
			pause(ctx, time.Second)
		case err != nil && s.fresh == 0:
			y.l.log.Debug("session failed", "peer", p, "err", err)
			return false, nil
		case err == nil && s.fresh == 0 && s.cut > 0: // he has more of that than we remember
			t, _ := y.putOff.Get(p)
			y.putOff.Add(p, t.again(time.Now()))
			return true, nil
		case err == nil && (s.fresh == 0 || s.finished && n > 0):
			y.putOff.Remove(p)
			return true, nil
		case time.Since(began) > sessionTime:
			y.trigger(p)
			return true, nil
		}
	}
	return true, nil
}

// isFault reports that a peer broke the rules, not just the line.
func isFault(err error) bool {
	return slices.ContainsFunc([]error{
		reconcile.ErrForm, reconcile.ErrAnswer, reconcile.ErrVersion, errReply, errRequest, errPhantoms, errAuthors, errFailed,
	}, func(fault error) bool { return errors.Is(err, fault) })
}

// turns lets one session at a time run with a peer, and few in all.
type turns struct {
	all chan struct{}

	mu   sync.Mutex
	with map[peer.ID]*turn
}

// turn is a place with one peer, and how many have it or wait for it.
type turn struct {
	place chan struct{}
	n     int
}

const sessionsAtATime = 8

func newTurns() *turns {
	return &turns{all: make(chan struct{}, sessionsAtATime), with: make(map[peer.ID]*turn)}
}

// take waits for a turn with p. Errors are ctx's.
func (t *turns) take(ctx context.Context, p peer.ID) (release func(), err error) {
	t.mu.Lock()
	w := t.with[p]
	if w == nil {
		w = &turn{place: make(chan struct{}, 1)}
		t.with[p] = w
	}
	w.n++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.n--; w.n == 0 {
			delete(t.with, p)
		}
	}
	for _, place := range []chan struct{}{w.place, t.all} {
		select {
		case place <- struct{}{}:
			continue
		case <-ctx.Done():
		}
		if place == t.all {
			<-w.place
		}
		leave()
		return nil, ctx.Err()
	}
	return func() { <-t.all; <-w.place; leave() }, nil
}
