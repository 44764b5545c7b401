package chat

import (
	"slices"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/presence"
)

// maxReach bounds the events whose reach is remembered, in each of two
// generations.
const maxReach = 4096

// maxHolders bounds the members of whom it is remembered what they hold.
const maxHolders = 10_000

// reach is the newest own event among an event and its ancestors.
type reach struct {
	seq uint64
	id  event.ID
}

// held is what a member is known to hold.
type held struct {
	seq   uint64 // own events up to this number
	whole uint64 // up to this, and all their ancestors
}

// holds knows by whom own events are held. A member who holds an event and
// misses none of its ancestors holds every own event up to that event's reach,
// for own events are a chain. So does one who says how much of the chain he
// holds. What has been forgotten or was never seen makes the claim smaller,
// never false. Its owner locks.
type holds struct {
	self    event.Author
	last    reach              // of the own chain
	recent  map[event.ID]reach // last events of batches
	older   map[event.ID]reach
	members map[event.Author]held
	most    uint64 // the highest number that some of them held
	changed bool   // members, since it was saved

	// Own numbers from forkFrom to forkTo may stand for two events each, as
	// after a restored backup: there the own events are no chain. What was
	// written after forkTo has both branches among its ancestors, so who misses
	// none of those holds both. 0: there is no fork.
	forkFrom, forkTo uint64

	writers []event.Author // others who wrote lately, newest last
	turn    int            // where the rotation through them is
}

func newHolds(self event.Author) *holds {
	return &holds{self: self, recent: make(map[event.ID]reach), members: make(map[event.Author]held)}
}

func (h *holds) find(id event.ID) reach {
	if r, ok := h.recent[id]; ok {
		return r
	}
	return h.older[id]
}

func (h *holds) set(id event.ID, r reach) {
	if len(h.recent) >= maxReach {
		h.older, h.recent = h.recent, make(map[event.ID]reach)
	}
	h.recent[id] = r
}

// own notes an own event.
func (h *holds) own(seq uint64, id event.ID) {
	if seq == 0 {
		return
	}
	h.set(id, reach{seq, id})
	if seq > h.last.seq {
		h.last = reach{seq, id}
	}
}

// add notes the reach of a stored batch: of its last event, which is the one
// that others name.
func (h *holds) add(b *event.Batch) { h.addEvents(b.Events) }

func (h *holds) addEvents(events []event.Event) {
	last := &events[len(events)-1]
	if last.Author == h.self {
		h.own(last.Seq, last.ID)
		return
	}
	h.wrote(last.Author)
	var far reach
	for i := range events {
		for _, p := range events[i].Parents {
			if r := h.find(p); r.seq > far.seq {
				far = r
			}
		}
	}
	if far.seq > 0 {
		h.set(last.ID, far)
	}
}

// wrote notes that somebody else wrote, so that he is told how much of his is
// held here.
func (h *holds) wrote(author event.Author) {
	const most = 4 * presence.MaxChains
	if i := slices.Index(h.writers, author); i >= 0 {
		h.writers = slices.Delete(h.writers, i, i+1)
	} else if len(h.writers) == most {
		h.writers = slices.Delete(h.writers, 0, 1)
	}
	h.writers = append(h.writers, author)
}

// writersToTell returns half of whom a signal has room for from those who wrote
// last, and as many from the others in rotation.
func (h *holds) writersToTell() []event.Author {
	const half = presence.MaxChains / 2
	n := len(h.writers)
	if n <= presence.MaxChains {
		return slices.Clone(h.writers)
	}
	out := slices.Clone(h.writers[n-half:])
	for range presence.MaxChains - half {
		out = append(out, h.writers[h.turn%(n-half)])
		h.turn++
	}
	return out
}

// told notes that a member holds these heads and, if complete, all their
// ancestors. It returns the newest own event that he is newly known to hold.
func (h *holds) told(member event.Author, heads [][32]byte, complete bool) (now reach, changed bool) {
	if !complete {
		return reach{}, false
	}
	var far reach
	for _, id := range heads {
		if r := h.find(id); r.seq > far.seq {
			far = r
		}
	}
	changed = h.note(member, held{far.seq, far.seq})
	return far, changed
}

// toldChain notes that a member holds all own events up to a number. One that
// is not written yet is a lie, or of a chain that was forgotten here.
func (h *holds) toldChain(member event.Author, seq uint64) (now reach, changed bool) {
	if seq > h.last.seq || !h.note(member, held{seq: seq}) {
		return reach{}, false
	}
	return h.ownEvent(seq)
}

// ownEvent returns the own event of a number, false if it is forgotten.
func (h *holds) ownEvent(seq uint64) (reach, bool) {
	if seq == h.last.seq {
		return h.last, true
	}
	for _, known := range []map[event.ID]reach{h.recent, h.older} {
		for id, r := range known {
			if r.seq == seq && r.id == id {
				return r, true
			}
		}
	}
	return reach{}, false
}

// note reports whether a member holds more than was known.
func (h *holds) note(member event.Author, now held) bool {
	before, known := h.members[member]
	now = held{max(now.seq, before.seq), max(now.whole, before.whole)}
	if !known && len(h.members) >= maxHolders || now == before {
		return false
	}
	h.hold(member, now)
	h.changed = true
	return true
}

func (h *holds) hold(member event.Author, now held) {
	h.members[member] = now
	h.most = max(h.most, now.seq, now.whole)
}

// has reports whether a member is known to hold the own event, or the two, of
// a number.
func (h *holds) has(member event.Author, seq uint64) bool {
	m := h.members[member]
	if seq >= h.forkFrom && seq <= h.forkTo {
		return m.whole > h.forkTo
	}
	return m.seq >= seq
}

// forked notes that own numbers from one on were written twice.
func (h *holds) forked(runs []eventlog.Run) {
	if len(runs) == 0 {
		return
	}
	from, to := runs[0].First, runs[len(runs)-1].Last
	if h.forkFrom == from && to <= h.forkTo {
		return // known, over a restart too
	}
	h.forkFrom, h.forkTo = from, h.last.seq
}
