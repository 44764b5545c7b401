package guard

import (
	"math/bits"
	"sync"
)

// ways is how many entries share a set. One is looked for in its set alone,
// and the one of its set that did the least harm makes room for it.
const ways = 8

// table is a fixed number of entries under hashes of 64 bits. Of two things
// with one hash, which is as likely as any two of 2^63, one counts for both.
type table[E any] struct{ sets []set[E] }

// set has the mutex that guards its entries.
type set[E any] struct {
	mu      sync.Mutex
	tags    [ways]uint64 // 0: free
	entries [ways]E
}

func newTable[E any](entries int) table[E] {
	n := max(1, (entries+ways-1)/ways)
	return table[E]{make([]set[E], 1<<bits.Len(uint(n-1)))}
}

// lock returns the set of a hash, locked, and the tag to find its entry by.
func (t *table[E]) lock(hash uint64) (*set[E], uint64) {
	s := &t.sets[hash&uint64(len(t.sets)-1)]
	s.mu.Lock()
	return s, hash | 1<<63 // never 0
}

// findLocked returns the entry of tag, or nil.
func (s *set[E]) findLocked(tag uint64) *E {
	for i := range s.tags {
		if s.tags[i] == tag {
			return &s.entries[i]
		}
	}
	return nil
}

// makeLocked returns a new entry for tag, in the place of the one with the
// least harm.
func (s *set[E]) makeLocked(tag uint64, harm func(*E) int64) *E {
	victim := 0
	least := int64(1<<63 - 1)
	for i := range s.tags {
		if s.tags[i] == 0 {
			victim = i
			break
		}
		if h := harm(&s.entries[i]); h < least {
			victim, least = i, h
		}
	}
	s.tags[victim] = tag
	clear(s.entries[victim : victim+1])
	return &s.entries[victim]
}

// dropLocked forgets tag.
func (s *set[E]) dropLocked(tag uint64) {
	for i := range s.tags {
		if s.tags[i] == tag {
			s.tags[i] = 0
		}
	}
}
