package direct

import (
	"crypto/ed25519"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// chain makes batches of size events each, one after the other.
func chain(t *testing.T, n, size int) []*event.Batch {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	author := event.Author(key.Public().(ed25519.PublicKey))
	var out []*event.Batch
	var last Place
	hlc := event.HLC(1 << 40)
	for range n {
		drafts := make([]event.Draft, size)
		for i := range drafts {
			hlc++
			drafts[i] = event.Draft{HLC: hlc, Kind: event.KindMessage, Payload: []byte("x")}
		}
		b, err := event.Seal(event.LogID{1}, author, last.Seq, last.ID, drafts, func(m []byte) []byte { return ed25519.Sign(key, m) })
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
		last = end(b)
	}
	return out
}

func TestOutboxKeepsWhatIsNotAcknowledged(t *testing.T) {
	all := chain(t, 4, 3)
	o := outbox{whole: true}
	for _, b := range all {
		o.add(b)
	}
	for range all {
		o.fly(o.nextFresh())
	}
	if o.nextFresh() != nil || len(o.flight) != 4 || o.sent != end(all[3]) {
		t.Fatalf("in flight %d, sent %v", len(o.flight), o.sent)
	}
	second := &all[1].Events[1]
	if !o.landed(Place{second.Seq, second.ID}) || len(o.flight) != 3 {
		t.Errorf("after a part of the second: %d in flight", len(o.flight))
	}
	if !o.landed(end(all[2])) || len(o.flight) != 1 || o.bytes != len(all[3].Payload()) {
		t.Errorf("after the third: %d in flight, %d bytes", len(o.flight), o.bytes)
	}
	if o.landed(Place{end(all[3]).Seq, event.ID{9}}) || o.landed(end(all[0])) {
		t.Error("landed what is not in flight")
	}
}

func TestOutboxIsBounded(t *testing.T) {
	all := chain(t, maxFresh+2, 1)
	o := outbox{whole: true}
	for _, b := range all {
		o.add(b)
	}
	if o.whole || len(o.fresh) != 0 {
		t.Errorf("whole %v with %d in memory after too many", o.whole, len(o.fresh))
	}
	for _, b := range all[:maxFlight] {
		if o.full() {
			t.Fatal("full too early")
		}
		o.fly(b)
	}
	if !o.full() {
		t.Error("not full")
	}
	o = outbox{whole: true, sent: end(all[1])}
	o.add(all[0])
	o.add(all[1])
	o.add(all[2])
	if b := o.nextFresh(); b != all[2] {
		t.Errorf("what was sent is sent again: %v", end(b))
	}
}
