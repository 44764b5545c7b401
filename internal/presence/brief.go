package presence

import "hash/maphash"

// sayAgain is how many gossiped signals in a row tell where the sender stands
// in a room, once that has changed: gossip may lose one.
const sayAgain = 3

// brevity keeps signals short in a network at rest: of a room that was told of
// in full since anything changed there a signal names no heads, but for one
// room a signal in rotation, for those to whom nobody handed a signal. Its owner
// locks.
type brevity struct {
	seed  maphash.Seed
	said  map[string]said // by room name
	whole int             // the room of the rotation, counted on without end
}

// said is what was told of a room last, and how often.
type said struct {
	state uint64
	times int
}

func newBrevity() *brevity {
	return &brevity{seed: maphash.MakeSeed(), said: make(map[string]said)}
}

// turn begins a signal that can name so many rooms, and returns which of them
// is told of in full in any case.
func (b *brevity) turn(rooms int) int {
	if len(b.said) > 2*rooms { // most were left
		clear(b.said)
	}
	b.whole++
	return b.whole % max(rooms, 1)
}

// room returns what the signal says of r.
func (b *brevity) room(r Room, whole bool) Room {
	last, now := b.said[r.Name], said{state: maphash.Bytes(b.seed, r.encode())}
	if now.state == last.state {
		now.times = min(last.times+1, sayAgain)
	}
	b.said[r.Name] = now
	if now.times < sayAgain || whole {
		return r
	}
	return Room{Name: r.Name, Seq: r.Seq, Complete: r.Complete}
}
