package chat

import "github.com/parley-chat/parley/internal/event"

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

// holds knows by whom own events are held. A member who holds an event and
// misses none of its ancestors holds every own event up to that event's reach,
// for own events are a chain. What has been forgotten or was never seen makes
// the claim smaller, never false. Its owner locks.
type holds struct {
	self    event.Author
	recent  map[event.ID]reach // last events of batches
	older   map[event.ID]reach
	members map[event.Author]reach
}

func newHolds(self event.Author) *holds {
	return &holds{self: self, recent: make(map[event.ID]reach), members: make(map[event.Author]reach)}
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
	if seq > 0 {
		h.set(id, reach{seq, id})
	}
}

// add notes the reach of a stored batch: of its last event, which is the one
// that others name.
func (h *holds) add(b *event.Batch) {
	last := &b.Events[len(b.Events)-1]
	if last.Author == h.self {
		h.own(last.Seq, last.ID)
		return
	}
	var far reach
	for i := range b.Events {
		for _, p := range b.Events[i].Parents {
			if r := h.find(p); r.seq > far.seq {
				far = r
			}
		}
	}
	if far.seq > 0 {
		h.set(last.ID, far)
	}
}

// told notes that a member holds these heads and, if complete, all their
// ancestors. It returns the newest own event that he is newly known to hold.
func (h *holds) told(member event.Author, heads [][32]byte, complete bool) (now reach, changed bool) {
	if !complete {
		return reach{}, false
	}
	now = h.members[member]
	before := now.seq
	for _, id := range heads {
		if r := h.find(id); r.seq > now.seq {
			now = r
		}
	}
	if _, known := h.members[member]; now.seq == before || !known && len(h.members) >= maxHolders {
		return now, false
	}
	h.members[member] = now
	return now, true
}
