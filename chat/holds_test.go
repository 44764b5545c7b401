package chat

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// writer writes the chain of one author in a log.
type writer struct {
	key  ed25519.PrivateKey
	seq  uint64
	last event.ID
	hlc  event.HLC
}

func newWriter(seed byte) *writer {
	return &writer{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)), hlc: 1}
}

func (w *writer) author() event.Author { return event.Author(w.key.Public().(ed25519.PublicKey)) }

func (w *writer) write(t *testing.T, parents ...event.ID) *event.Batch {
	t.Helper()
	w.hlc++
	drafts := []event.Draft{{HLC: w.hlc, Kind: event.KindMessage, Parents: parents}}
	b, err := event.Seal(event.LogID{1}, w.author(), w.seq, w.last, drafts, func(m []byte) []byte { return ed25519.Sign(w.key, m) })
	if err != nil {
		t.Fatal(err)
	}
	w.seq, w.last = b.Events[0].Seq, b.Events[0].ID
	return b
}

func TestWhoHoldsWhatIsNeverClaimedTooMuch(t *testing.T) {
	self, bob := newWriter(1), newWriter(2)
	h := newHolds(self.author())
	mine1, mine2 := self.write(t), self.write(t)
	h.add(mine1)
	answer := bob.write(t, mine1.Events[0].ID)
	h.add(answer)
	h.add(mine2)
	carol := event.Author{3}
	told := func(complete bool, heads ...event.ID) (uint64, bool) {
		raw := make([][32]byte, len(heads))
		for i := range heads {
			raw[i] = heads[i]
		}
		r, changed := h.told(carol, raw, complete)
		return r.seq, changed
	}
	if _, changed := told(false, mine2.Events[0].ID); changed {
		t.Error("who misses ancestors may miss mine")
	}
	if _, changed := told(true, event.ID{9}); changed {
		t.Error("an unknown head says nothing")
	}
	if seq, changed := told(true, answer.Events[0].ID); !changed || seq != 1 {
		t.Errorf("the answer was written after my first: %d", seq)
	}
	if seq, changed := told(true, mine2.Events[0].ID, answer.Events[0].ID); !changed || seq != 2 {
		t.Errorf("my second is a head: %d", seq)
	}
	if seq, changed := told(true, answer.Events[0].ID); changed || seq != 2 {
		t.Errorf("what was held is held: %d, %v", seq, changed)
	}
	for range 2*maxReach + 10 {
		h.add(self.write(t))
	}
	if len(h.recent)+len(h.older) > 2*maxReach {
		t.Error("unbounded")
	}
}
