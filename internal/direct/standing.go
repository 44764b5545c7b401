package direct

import "github.com/parley-chat/parley/internal/event"

// Read is up to where a person here was shown what the other of a chat wrote.
// It does not run the chat, nor does State.
func (s *Service) Read(a event.Author) (Place, error) {
	r, err := s.recordOf(a)
	return r.Read, err
}

// State says how far an own event of a chat has come. Where the chain forks,
// what is said of a place says nothing of the other branch: there both are
// delivered when comparing has shown it.
func (s *Service) State(a event.Author, seq uint64, forks bool) (string, error) {
	if a == s.cfg.Author {
		return Delivered, nil
	}
	r, err := s.recordOf(a)
	return r.state(seq, forks), err
}

// recordOf is what is known of a chat, running or not.
func (s *Service) recordOf(a event.Author) (record, error) {
	s.mu.Lock()
	p := s.pairs[a]
	s.mu.Unlock()
	if p == nil {
		return s.load(a)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rec, nil
}

// state says how far an own event has come.
func (r *record) state(seq uint64, forks bool) string {
	switch {
	case forks && seq > r.Whole && seq <= r.Acked.Seq:
		return Sent
	case seq <= r.Seen.Seq:
		return Read
	case seq <= r.Acked.Seq:
		return Delivered
	case seq <= r.Sent.Seq:
		return Sent
	default:
		return Queued
	}
}
