package delivery

import (
	"bytes"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
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
	has := func(b *event.Batch) bool { known, _ := k.gossiped(b); return known }
	k.add(single, true)
	if !has(single) || has(b) {
		t.Error("its last event is stored, the batch is not")
	}
	k.add(b, true)
	k.add(single, true)
	if !has(b) || !has(single) {
		t.Error("all is stored")
	}
	for i := range 2*maxKnown + 1 {
		k.recent[event.ID{byte(i), byte(i >> 8), 1}] = knownBatch{first: 1}
		if len(k.recent) >= maxKnown {
			k.add(a.write(t, testTime, 1), true)
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
		l.appendAll([]arrival{{test.b, "forwarder"}})
		if known, _ := l.known.gossiped(whole); known != test.want {
			t.Errorf("known %v, want %v", known, test.want)
		}
	}
}

// Fetching and gossip race in a busy room: what was fetched a moment before is
// taken from gossip as well, for others, and once.
func TestWhatWasFetchedIsTakenFromGossipOnce(t *testing.T) {
	a := newAuthor(1)
	k := newKnown()
	fetched := a.write(t, testTime, 3)
	k.add(fetched, false)
	for i, want := range []bool{true, false, false} {
		if known, fetched := k.gossiped(fetched); !known || fetched != want {
			t.Errorf("copy %d: known %v, fetched %v", i, known, fetched)
		}
		k.add(fetched, true)
	}
	queued := a.write(t, testTime, 3) // gossip brought it, and it waits for the store
	k.add(queued, false)              // meanwhile it is fetched
	for i, want := range []bool{true, false} {
		if excused := k.add(queued, true); excused != want {
			t.Errorf("copy %d: excused %v", i, excused)
		}
	}
}

// What was fetched is forwarded with a signature that holds or not at all, and a
// forger does not spoil it for who comes after him.
func TestWhatWasFetchedIsForwardedVerified(t *testing.T) {
	l, b := unjoined(t, newMemory()), newAuthor(1).write(t, time.Now(), 3)
	if _, err := l.admit(t.Context(), "server", []*event.Batch{b}); err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(b.Payload())
	proof, _ := b.Proof()
	forged[bytes.Index(forged, proof.Signature)] ^= 1
	for i, test := range []struct {
		data []byte
		want pubsub.ValidationResult
	}{
		{forged, pubsub.ValidationReject},
		{b.Payload(), pubsub.ValidationAccept},
		{forged, pubsub.ValidationIgnore},
		{b.Payload(), pubsub.ValidationIgnore},
	} {
		if got := l.validate(t.Context(), "peer", &pubsub.Message{Message: &pb.Message{Data: test.data}}); got != test.want {
			t.Errorf("message %d: verdict %v, not %v", i, got, test.want)
		}
	}
}

func TestForwardingWhatWasFetchedCostsNothingAndReplayingDoes(t *testing.T) {
	l := unjoined(t, newMemory())
	verdicts := func(from peer.ID, want pubsub.ValidationResult, batches []*event.Batch) {
		t.Helper()
		for _, b := range batches {
			msg := &pubsub.Message{Message: &pb.Message{Data: b.Payload()}}
			if got := l.validate(t.Context(), from, msg); got != want {
				t.Fatal("verdict", got)
			}
		}
	}
	a, now := newAuthor(1), time.Now()
	var fetched []*event.Batch
	for range uselessAtOnce + 500 {
		b := a.write(t, now, 1)
		if _, err := l.admit(t.Context(), "server", []*event.Batch{b}); err != nil {
			t.Fatal(err)
		}
		fetched = append(fetched, b)
	}
	for _, b := range fetched { // and fetched again
		if _, err := l.admit(t.Context(), "server", []*event.Batch{b}); err != nil {
			t.Fatal(err)
		}
	}
	verdicts("honest", pubsub.ValidationAccept, fetched) // others wait for it
	verdicts("replaying", pubsub.ValidationIgnore, fetched)
	for _, test := range []struct {
		p    peer.ID
		want bool
	}{{"server", true}, {"honest", true}, {"replaying", false}} {
		if got := l.s.budgets.useless.Solvent(test.p); got != test.want {
			t.Errorf("%s: solvent %v", test.p, got)
		}
	}
}

func TestReplaysAreOldAndOfKnownAuthors(t *testing.T) {
	a, other := newAuthor(1), newAuthor(2)
	old, next := a.write(t, testTime, 1), a.write(t, testTime, 1)
	k := newKnown()
	k.add(old, true)
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

// spec: 04-delivery M10
func TestEarlyIsMoreThanFiveMinutes(t *testing.T) {
	for ahead, early := range map[time.Duration]bool{
		-time.Hour: false, 5 * time.Minute: false, 5*time.Minute + time.Millisecond: true, time.Hour: true,
	} {
		b := newAuthor(1).write(t, testTime.Add(ahead), 2) // the last event counts, of the same millisecond
		if got := Early(testTime, b); got != early {
			t.Errorf("%v ahead: early %t", ahead, got)
		}
		if later := testTime.Add(ahead - 5*time.Minute); Early(later, b) {
			t.Errorf("%v ahead: early when it is due", ahead)
		}
	}
}
