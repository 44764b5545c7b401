package bench

import "net/netip"

// Star is a network of a hub and many leaves that are connected with it alone,
// in rooms of a few leaves and the hub each. Member 0 of the crew is the hub,
// each other one a crowd: leaves in one process. Leaf i is in room i modulo the
// number of rooms, so that those of one room, which are in as many processes,
// speak in turns far from each other.
type Star struct {
	Rooms   int
	Crowd   int        // leaves in a process; the last one may have fewer
	Address netip.Addr // that the hub listens on and is dialled from; the zero one: loopback
	Secret  [32]byte   // of the network: nobody else gets in
}

// Seats is how many leaves a room has.
const Seats = 4

// crowds is how many processes there are for leaves, at most.
const crowds = 10

// newStar lays out so many leaves, a multiple of Seats.
func newStar(leaves int) *Star {
	rooms := leaves / Seats
	// No two of one room are in one process: what it receives then differs.
	return &Star{Rooms: rooms, Crowd: min((leaves+crowds-1)/crowds, rooms)}
}

func (s *Star) leaves() int { return Seats * s.Rooms }

// crowds is how many processes have leaves.
func (s *Star) crowds() int { return (s.leaves() + s.Crowd - 1) / s.Crowd }

// voices are the leaves of a member.
func (s *Star) voices(self int) voices {
	if self == 0 {
		return voices{}
	}
	first := (self - 1) * s.Crowd
	return voices{first, min(s.Crowd, s.leaves()-first)}
}

// roomOf is the room a leaf is in.
func (s *Star) roomOf(leaf int) int { return leaf % s.Rooms }

// awaited is what a member is to hear when each leaf has sent so many messages:
// the hub all, a crowd those of its leaves' rooms.
func (s *Star) awaited(self int, sent []int) []int {
	if self == 0 {
		return sent
	}
	own, want := s.voices(self), make([]int, len(sent))
	for leaf := range sent {
		if own.has(leaf) {
			for other := s.roomOf(leaf); other < len(sent); other += s.Rooms {
				want[other] = sent[other]
			}
		}
	}
	return want
}

// voices are the senders that one member speaks for, in turn.
type voices struct{ first, count int }

// next is who sends the k-th message of the member, and which of his it is.
func (v voices) next(k int) (sender, index int) { return v.first + k%v.count, k / v.count }

// has reports whether a sender is one of them.
func (v voices) has(sender int) bool { return sender >= v.first && sender < v.first+v.count }

// share is how many of the member's messages each of them has sent.
func (v voices) share(sent int, each []int) {
	for i := range v.count {
		each[v.first+i] = (sent + v.count - 1 - i) / v.count
	}
}

// OpenFilesNeeded is how many files and connections the process that has most of
// them has open at once, with so many leaves: the hub one a leaf and its store,
// a crowd those of its leaves.
func OpenFilesNeeded(leaves int) int {
	if leaves < Seats {
		return 0
	}
	return max(leaves+filesOfHub, newStar(leaves).Crowd*filesOfLeaf+filesOfHub)
}

const (
	filesOfHub  = 128
	filesOfLeaf = 8
)
