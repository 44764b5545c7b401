package delivery

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
)

func TestKnownRemembersWholeBatchesOnly(t *testing.T) {
	a := newAuthor(1)
	b := a.write(t, testTime, 10)
	payload, err := b.Single(9)
	if err != nil {
		t.Fatal(err)
	}
	single, err := event.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	k := newKnown()
	k.add(single)
	if !k.has(single) || k.has(b) {
		t.Error("its last event is stored, the batch is not")
	}
	k.add(b)
	k.add(single)
	if !k.has(b) || !k.has(single) {
		t.Error("all is stored")
	}
	for i := range 2*maxKnown + 1 {
		k.recent[event.ID{byte(i), byte(i >> 8), 1}] = 1
		if len(k.recent) >= maxKnown {
			k.add(a.write(t, testTime, 1))
		}
	}
	if len(k.recent)+len(k.older) > 2*maxKnown {
		t.Error("unbounded")
	}
}

// Whoever takes the contents away and is first must not keep others from them.
func TestAnErasedBatchIsNotKnown(t *testing.T) {
	whole := newAuthor(1).write(t, testTime, 3)
	payload, err := whole.Erase(1)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := event.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	l := unjoined(t, newMemory())
	for _, test := range []struct {
		b    *event.Batch
		want bool
	}{{bare, false}, {whole, true}} {
		if _, _, err := l.append(arrival{test.b, "forwarder"}); err != nil || l.known.has(whole) != test.want {
			t.Errorf("known %v, want %v (%v)", !test.want, test.want, err)
		}
	}
}

func TestReplaysAreOldAndOfKnownAuthors(t *testing.T) {
	a, other := newAuthor(1), newAuthor(2)
	old, next := a.write(t, testTime, 1), a.write(t, testTime, 1)
	k := newKnown()
	k.add(old)
	late := testTime.Add(replayAge + time.Second)
	for _, test := range []struct {
		name string
		now  time.Time
		b    *event.Batch
		want bool
	}{
		{"fresh", testTime, old, false},
		{"old", late, old, true},
		{"new, by a slow clock", late, next, false},
		{"of an unknown author", late, other.write(t, testTime, 1), false},
	} {
		if got := k.replayed(test.now, test.b); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestHoldbackGivesBackWhenDueAndIsBounded(t *testing.T) {
	h := new(holdback)
	at := func(d time.Duration, by byte) arrival {
		return arrival{batch: newAuthor(by).write(t, testTime.Add(maxAhead+d), 1)}
	}
	later, sooner := at(2*time.Minute, 1), at(time.Minute, 2)
	if !h.add(testTime, later) || !h.add(testTime, sooner) || h.add(testTime, later) {
		t.Fatal("two are held, none twice")
	}
	if items, next := h.ready(testTime); len(items) != 0 || next != time.Minute {
		t.Errorf("%d ready, next in %v", len(items), next)
	}
	items, next := h.ready(testTime.Add(time.Minute))
	if len(items) != 1 || items[0].batch != sooner.batch || next != time.Minute {
		t.Errorf("%d ready, next in %v", len(items), next)
	}
	if h.add(testTime, at(maxHeldAhead+time.Second, 3)) {
		t.Error("held for more than a day")
	}
	one := newAuthor(4)
	for i := range maxHeldOfOne + 1 {
		b := one.write(t, testTime.Add(time.Hour+time.Duration(i)*time.Second), 1)
		if got := h.add(testTime, arrival{batch: b}); got != (i < maxHeldOfOne) {
			t.Errorf("batch %d of one author: %v", i, got)
		}
	}
	for i := range 100 {
		h.add(testTime, at(2*time.Hour-time.Duration(i)*time.Minute, byte(i+10)))
	}
	if len(h.items) != maxHeld {
		t.Errorf("%d held", len(h.items))
	}
	if h.add(testTime, at(23*time.Hour, 200)) {
		t.Error("the last to be due took the place of one due before it")
	}
	items, next = h.ready(testTime.Add(24 * time.Hour))
	if len(items) != maxHeld || next != 0 || h.bytes != 0 {
		t.Errorf("%d ready, next in %v, %d bytes left", len(items), next, h.bytes)
	}
}

func TestUselessForwardersAreNotHeardForAWhile(t *testing.T) {
	b := newBudgets()
	bad, good := peer.ID("bad"), peer.ID("good")
	for range uselessAtOnce + 10 {
		b.charge(bad)
	}
	if b.solvent(bad) || !b.solvent(good) {
		t.Error("charged the wrong one")
	}
	for i := range maxBudgets {
		b.charge(peer.ID(rune(i)))
	}
	if b.useless.Len() > maxBudgets {
		t.Error("unbounded")
	}
	if !b.serve(good, servedAtOnce) || b.serve(good, 1<<20) {
		t.Error("serving is not bounded")
	}
}
