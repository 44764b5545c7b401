package chat

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/presence"
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

// spec: 05-presence M12
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
	if _, changed := told(true, answer.Events[0].ID); changed || !h.has(carol, 2) || h.has(carol, 3) {
		t.Errorf("what was held is held: %+v, %v", h.members[carol], changed)
	}
	for range 2*maxReach + 10 {
		h.add(self.write(t))
	}
	if len(h.recent)+len(h.older) > 2*maxReach {
		t.Error("unbounded")
	}
}

// What is saved is known again, to the room that has the chain it is about; a
// store that went back knows less than was saved.
func TestHoldsAreSaved(t *testing.T) {
	self, bob := newWriter(1), newWriter(2)
	h := newHolds(self.author())
	var mine []*event.Batch
	for range 3 {
		mine = append(mine, self.write(t))
		h.add(mine[len(mine)-1])
	}
	answer := bob.write(t, mine[1].Events[0].ID)
	h.add(answer)
	for i := range savedHolders + 100 {
		h.note(event.Author{1, byte(i), byte(i >> 8)}, held{uint64(i%3) + 1, 1})
	}
	saved := h.save([]event.ID{answer.Events[0].ID, {77}})
	if len(saved) > 64<<10 {
		t.Errorf("%d bytes", len(saved))
	}
	again := newHolds(self.author())
	again.own(3, mine[2].Events[0].ID)
	again.recall(saved)
	if len(again.members) != savedHolders || again.find(answer.Events[0].ID).seq != 2 || again.find(event.ID{77}).seq != 0 {
		t.Errorf("%d members, and the answer reaches %d", len(again.members), again.find(answer.Events[0].ID).seq)
	}
	for author, has := range again.members {
		if h.members[author] != has {
			t.Fatal("a member holds something else")
		}
	}
	back := newHolds(self.author())
	back.own(1, mine[0].Events[0].ID)
	back.recall(saved)
	for _, has := range back.members {
		if has.seq > 1 {
			t.Fatal("what is not written is held")
		}
	}
	for cut := range min(len(saved), 400) { // nothing to fear of what a disk did to it
		newHolds(self.author()).recall(saved[:cut])
	}
}

// Chains tell what heads cannot; a chain that is longer than ours is a lie.
//
// spec: 05-presence M12
func TestToldChains(t *testing.T) {
	self := newWriter(1)
	h := newHolds(self.author())
	var mine []*event.Batch
	for range 3 {
		mine = append(mine, self.write(t))
		h.add(mine[len(mine)-1])
	}
	carol := event.Author{3}
	if _, changed := h.toldChain(carol, 4); changed || h.has(carol, 1) {
		t.Error("nobody can hold what is not written")
	}
	if now, changed := h.toldChain(carol, 2); !changed || now.id != mine[1].Events[0].ID || !h.has(carol, 2) || h.has(carol, 3) {
		t.Errorf("told 2: %+v, %v", now, changed)
	}
	if _, changed := h.toldChain(carol, 1); changed || !h.has(carol, 2) {
		t.Error("who held two holds two")
	}
}

// Numbers 2 and 3 were written twice. Who holds one 2 may lack the other: only
// who misses nothing of what came after both is known to hold them.
func TestAForkIsNotClaimed(t *testing.T) {
	self := newWriter(1)
	h := newHolds(self.author())
	one := self.write(t)
	h.add(one)
	branch := *self
	mine := []*event.Batch{self.write(t), self.write(t)}
	h.add(mine[0])
	h.add(mine[1])
	carol := event.Author{3}
	h.toldChain(carol, 3)
	branch.hlc += 100
	other := branch.write(t)
	h.add(other)
	h.forked([]eventlog.Run{{First: 2, Last: 2}})
	if !h.has(carol, 1) || h.has(carol, 2) || h.has(carol, 3) {
		t.Error("she holds one of two, and nobody knows which")
	}
	merge := self.write(t, other.Events[0].ID)
	h.add(merge)
	h.toldChain(carol, 4)
	if h.has(carol, 2) || !h.has(carol, 4) {
		t.Error("her chain says nothing of the branch")
	}
	if _, changed := h.told(carol, [][32]byte{merge.Events[0].ID}, true); !changed || !h.has(carol, 2) || !h.has(carol, 3) {
		t.Error("who misses no ancestor holds both")
	}
}

func TestWritersAreToldInTurn(t *testing.T) {
	h := newHolds(event.Author{})
	told := map[event.Author]int{}
	for i := range 100 {
		h.wrote(event.Author{1, byte(i)})
	}
	for range 10 {
		writers := h.writersToTell()
		if len(writers) > presence.MaxChains {
			t.Fatalf("%d at a time", len(writers))
		}
		for _, a := range writers {
			told[a]++
		}
	}
	if len(told) != 4*presence.MaxChains || told[event.Author{1, 99}] != 10 {
		t.Errorf("%d are told, the last %d times", len(told), told[event.Author{1, 99}])
	}
}
