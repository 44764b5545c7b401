package codes

import "time"

// maxGroup is how many redemptions one line of the journal tells of, at most.
const maxGroup = 256

// redemption is a code on its way to a peer.
type redemption struct {
	hash hash
	peer string
	now  time.Time

	// Of who holds writing:
	settled bool
	err     error
}

// spend has a redemption written down, together with all that wait: whoever gets
// to write does it for the others, who find it done.
func (s *Store) spend(r *redemption) error {
	s.mu.Lock()
	s.waiting = append(s.waiting, r)
	s.mu.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	for !r.settled {
		s.commit(s.gather())
	}
	return r.err
}

func (s *Store) gather() []*redemption {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.waiting), maxGroup)
	group := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	return group
}

// commit settles a group. The first of those that want the same code has it; the
// others are told what they would be told afterwards.
func (s *Store) commit(group []*redemption) {
	first := make(map[hash]*redemption, len(group))
	var spent []*redemption
	for _, r := range group {
		r.settled = true
		if first[r.hash] != nil {
			continue
		}
		s.mu.RLock()
		mine, err := s.look(r.hash, r.peer, r.now) // another may have been first
		s.mu.RUnlock()
		if r.err = err; !mine && err == nil {
			first[r.hash] = r
			spent = append(spent, r)
		}
	}
	if len(spent) == 0 {
		return
	}
	err := s.write(spent)
	for _, r := range group {
		switch won := first[r.hash]; {
		case won == nil:
		case err != nil:
			r.err = err
		case won.peer != r.peer:
			r.err = ErrUsed
		}
	}
}

// write puts redemptions on disk and then lets them be known.
func (s *Store) write(spent []*redemption) error {
	if !s.file.usable() {
		if err := s.file.replace(s.copied()); err != nil {
			return err
		}
	}
	if err := s.file.append(spent); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range spent {
		e := s.codes[r.hash]
		e.usedBy, e.used = r.peer, whole(r.now)
		s.codes[r.hash] = e
	}
	return nil
}
