package direct

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// search is a seeker whose every look is noted and finds nobody.
type search struct {
	*seeker
	began time.Time

	mu      sync.Mutex
	waiting map[event.Author]bool
	present map[peer.ID]bool
	looks   map[peer.ID][]time.Duration // since it began
	last    time.Time
	tooSoon int // looks less than seekApart after the one before
}

func searching(t *testing.T, test func(k *search)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &search{
			began: time.Now(), waiting: make(map[event.Author]bool), present: make(map[peer.ID]bool),
			looks: make(map[peer.ID][]time.Duration),
		}
		k.seeker = &seeker{
			waits: func(a event.Author) bool { k.mu.Lock(); defer k.mu.Unlock(); return k.waiting[a] },
			here:  func(p peer.ID) bool { k.mu.Lock(); defer k.mu.Unlock(); return k.present[p] },
			look:  k.note, log: slog.New(slog.DiscardHandler),
			wake: make(chan struct{}, 1), away: make(map[event.Author]*quest),
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.run(ctx) })
		test(k)
		cancel()
		wg.Wait()
	})
}

func (k *search) note(_ context.Context, p peer.ID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.last.IsZero() && time.Since(k.last) < seekApart {
		k.tooSoon++
	}
	k.last = time.Now()
	k.looks[p] = append(k.looks[p], time.Since(k.began))
	return errors.New("nobody knows")
}

func (k *search) set(a event.Author, waits bool) {
	k.mu.Lock()
	k.waiting[a] = waits
	k.mu.Unlock()
	k.want(a, 0)
}

func (k *search) of(a event.Author) []time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.looks[wire.PeerID(a)]
}

// spec: 07-direct §3
func TestOneWhoIsAwayIsLookedForMoreAndMoreRarely(t *testing.T) {
	searching(t, func(k *search) {
		a, quiet, here := strangerOf(1), strangerOf(2), strangerOf(3)
		k.present[wire.PeerID(here)] = true
		k.set(a, true)
		k.set(here, true)
		k.set(quiet, false)
		time.Sleep(24 * time.Hour)
		looks := k.of(a)
		if len(looks) < 40 || len(looks) > 80 || looks[0] > time.Second || looks[1] > 20*time.Second {
			t.Errorf("looked for %d times in a day: %v", len(looks), looks)
		}
		for i := 12; i < len(looks); i++ {
			if gap := looks[i] - looks[i-1]; gap < lastSeek*3/4 || gap > lastSeek*5/4+seekApart {
				t.Errorf("%v between two looks", gap)
			}
		}
		if len(k.of(quiet)) > 0 || len(k.of(here)) > 0 {
			t.Error("one for whom nothing waits, or who is here, is looked for")
		}
		k.hope() // somebody was met who may know
		time.Sleep(2 * afterStart)
		if got := len(k.of(a)); got != len(looks)+1 {
			t.Errorf("when somebody is met, looked for %d times more", got-len(looks))
		}
		for range 30 {
			k.hope()
			time.Sleep(time.Second)
		}
		if got := len(k.of(a)); got != len(looks)+1 {
			t.Errorf("a crowd has him looked for %d times more", got-len(looks))
		}
		k.set(a, false)
		time.Sleep(2 * lastSeek)
		if got := len(k.of(a)); got > len(looks)+1 || len(k.away) != 1 {
			t.Errorf("nothing waits and he is looked for, %d are on the list", len(k.away))
		}
	})
}

func TestManyAreLookedForOneAfterTheOther(t *testing.T) {
	searching(t, func(k *search) {
		for i := range maxChats {
			k.set(strangerOf(i), true)
		}
		time.Sleep(2 * time.Hour)
		if k.tooSoon > 0 {
			t.Errorf("%d looks came too soon", k.tooSoon)
		}
		for i := range maxChats {
			if len(k.of(strangerOf(i))) == 0 {
				t.Errorf("number %d is never looked for", i)
				return
			}
		}
	})
}

// ended is a shelf on which the own chain of every chat has so many events.
type ended struct {
	*shelf
	own uint64
}

func (e ended) Last(event.LogID, event.Author) (seq uint64, id event.ID, err error) {
	return e.own, id, nil
}

// After a start nobody has said a word yet: chats are asked what waits.
func TestWhatWaitsIsKnownAfterAStart(t *testing.T) {
	s, f := shelved(3)
	s.cfg.Store, s.cfg.Author = ended{f, 7}, strangerOf(9)
	s.order = []event.Author{strangerOf(0), strangerOf(1), strangerOf(2), strangerOf(9)}
	s.pairs[strangerOf(0)].rec.Acked = Place{Seq: 7}
	s.pairs[strangerOf(1)].rec.Acked = Place{Seq: 6}
	if k := newSeeker(s); len(k.away) != len(s.order) {
		t.Errorf("%d of %d chats are looked at", len(k.away), len(s.order))
	}
	for i, want := range map[int]bool{0: false, 1: true, 2: true, 9: false} { // 9 is oneself
		if s.waits(strangerOf(i)) != want {
			t.Errorf("something waits for %d: %v", i, !want)
		}
	}
}

// Who was here is looked for as one who has just gone, however long he was
// looked for before.
func TestWhoWasMetIsLookedForAnew(t *testing.T) {
	searching(t, func(k *search) {
		for name, met := range map[string]func(a event.Author){
			"a stream was held": func(a event.Author) { k.left(a) },
			"he is seen": func(a event.Author) {
				k.be(a, true)
				time.Sleep(2 * lastSeek) // until he is looked at
				k.be(a, false)
			},
		} {
			a := strangerOf(len(name))
			k.set(a, true)
			time.Sleep(6 * time.Hour) // now seldom
			met(a)
			before := len(k.of(a))
			time.Sleep(2 * time.Minute)
			if got := len(k.of(a)) - before; got < 2 {
				t.Errorf("%s: looked for %d times in two minutes", name, got)
			}
		}
	})
}

func (k *search) be(a event.Author, here bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.present[wire.PeerID(a)] = here
}
