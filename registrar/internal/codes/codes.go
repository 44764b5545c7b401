// Package codes keeps the one-time codes with which a registrar's operator lets
// machines in that have no certificate.
//
//	s, err := codes.Open(dir, now)               // DIR/codes.json, DIR/codes.journal
//	defer s.Close()
//	fresh, err := s.New(30, 24*time.Hour, now)   // print each one's Text, once
//	err = s.Redeem(text, peer, now)              // nil: give peer its ticket
//
// A code is 128 random bits. Only its SHA-256 is kept, so who reads the file
// can neither use a code nor print it again.
//
// Redeem says yes to one peer, whatever happens: two that race, kill -9, a
// power cut. That a code is used is on disk before Redeem returns: in a journal
// that grows by a line for all who wait at that time, which New writes into the
// whole and begins anew; a code is in it once, so it cannot outgrow the codes. The peer
// that redeemed a code may redeem it again while the code lives, so that an
// answer lost on the way costs it nothing.
//
// Inside it is told apart whether a code is wrong, expired or used, for the
// audit; what a caller is told is decided above. Who cannot see the answers
// cannot tell them by their time either: refusals do the same work, a look-up
// of a hash whose preimage nobody knows, and no disk.
//
// One Store at a time may have a directory open: whoever holds the lock of the
// data directory. All methods may be called by any goroutine; changes wait for
// each other and for the disk, refusals for neither.
package codes

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"maps"
	"slices"
	"sync"
	"time"
)

// Limits.
const (
	MaxCodes = 100_000     // kept at one time, used and expired ones included
	MinLife  = time.Minute // of a code
	MaxLife  = 366 * 24 * time.Hour
	maxPeer  = 128                 // bytes of a peer ID
	keep     = 30 * 24 * time.Hour // used and expired ones, to tell what became of them
)

// hash is what is kept of a code.
type hash [32]byte

// entry is what is known of a code. Times are in whole seconds, UTC.
type entry struct {
	expires time.Time
	usedBy  string // empty: not used
	used    time.Time
}

// forgotten is when nothing needs to be known of the code any more. A used one
// is kept as long as the same peer may come again.
func (e entry) forgotten() time.Time {
	if e.usedBy != "" && e.used.Add(keep).After(e.expires) {
		return e.used.Add(keep)
	}
	if e.usedBy != "" {
		return e.expires
	}
	return e.expires.Add(keep)
}

// Store keeps codes. Make one with [Open].
type Store struct {
	writing sync.Mutex // held over a change and its way to the disk
	file    file

	mu      sync.RWMutex
	codes   map[hash]entry // what is on disk
	waiting []*redemption  // for who holds writing next
}

// Open reads the codes of a directory; one without is fine. Errors: [ErrFile],
// [ErrCorrupt].
func Open(dir string, now time.Time) (*Store, error) {
	s := &Store{file: newFile(dir)}
	all, err := s.file.open()
	if err != nil {
		return nil, err
	}
	s.codes = withoutOld(all, now)
	return s, nil
}

// Close lets go of the files. Nothing is called after it.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.file.close()
}

// New makes count codes that can be redeemed for life from now on, and returns
// them when they are on disk. They cannot be had again. Errors: [ErrAmount],
// [ErrFull], [ErrFile].
func (s *Store) New(count int, life time.Duration, now time.Time) ([]Code, error) {
	if count < 1 || count > MaxCodes {
		return nil, ErrAmount.Withf("%d codes cannot be made", count)
	}
	if life < MinLife || life > MaxLife {
		return nil, ErrAmount.Withf("a code cannot live for %v", life)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	next := withoutOld(s.copied(), now)
	if len(next)+count > MaxCodes {
		return nil, ErrFull
	}
	fresh := make([]Code, count)
	e := entry{expires: whole(now.Add(life))}
	for i := range fresh {
		_, _ = rand.Read(fresh[i].secret[:])
		next[fresh[i].hash()] = e
	}
	if err := s.file.replace(next); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes = next
	return fresh, nil
}

// Redeem spends the code for a peer, given by the text of its ID. Nil means
// that the code is this peer's, durably: now, or since it redeemed the code
// before. Errors: [ErrMistyped], [ErrWrong], [ErrExpired], [ErrUsed], and
// [ErrFile], after which the code is still to be had.
func (s *Store) Redeem(text, peer string, now time.Time) error {
	if err := checkPeer(peer); err != nil {
		return err
	}
	c, err := Parse(text)
	if err != nil {
		return err
	}
	h := c.hash()
	s.mu.RLock()
	mine, err := s.look(h, peer, now)
	s.mu.RUnlock()
	if mine || err != nil {
		return err
	}
	return s.spend(&redemption{hash: h, peer: peer, now: now})
}

// look returns whether a code that can be redeemed is the peer's already, or
// why it cannot be. The caller holds mu.
func (s *Store) look(h hash, peer string, now time.Time) (mine bool, err error) {
	e, known := s.codes[h]
	mine = subtle.ConstantTimeCompare([]byte(e.usedBy), []byte(peer)) == 1
	switch {
	case !known:
		return false, ErrWrong
	case e.usedBy != "" && !mine:
		return false, ErrUsed
	case !now.Before(e.expires):
		return false, ErrExpired
	default:
		return mine, nil
	}
}

func (s *Store) copied() map[hash]entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.codes)
}

// Known is what is told of a code: what became of it, not the code.
type Known struct {
	Name    string // as [Code.Name]
	Expires time.Time
	UsedBy  string    // the peer; empty if it was not used
	Used    time.Time // zero if it was not used
}

// Known returns what is known of all codes, those that expire first before the
// others, for whoever keeps the registrar.
func (s *Store) Known() []Known {
	all := s.copied()
	out := make([]Known, 0, len(all))
	for h, e := range all {
		out = append(out, Known{h.name(), e.expires, e.usedBy, e.used})
	}
	slices.SortFunc(out, func(a, b Known) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// withoutOld takes out what is to be forgotten.
func withoutOld(codes map[hash]entry, now time.Time) map[hash]entry {
	maps.DeleteFunc(codes, func(_ hash, e entry) bool { return !now.Before(e.forgotten()) })
	return codes
}

// whole returns a time as it is written down.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
