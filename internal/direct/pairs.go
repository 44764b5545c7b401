package direct

import (
	"errors"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// A stranger is an author with whom no chat is remembered. Anybody may open a
// stream to say something: until that has come, little is kept of him, and not
// for long. spec: 07-direct §7
const (
	maxStrangers = 64               // streams of strangers at a time
	strangerTime = 30 * time.Second // for the first thing that is worth a chat
)

var errStranger = errors.New("no chat, and no place for one")

// pair returns a running pair.
func (s *Service) pair(a event.Author) (*Pair, error) {
	if p, err := s.running(a); p != nil || err != nil {
		return p, err
	}
	s.starting.Lock()
	defer s.starting.Unlock()
	if p, err := s.running(a); p != nil || err != nil {
		return p, err
	}
	p, err := startPair(s, a)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.cfg.Delivery.Leave(p.log)
		return nil, ErrClosed
	}
	s.pairs[a], s.byLog[p.log] = p, p
	s.metrics.pairs.Inc()
	if !p.self() {
		s.wg.Go(p.dial) // Close waits; p.cancel ends it before
	}
	s.mu.Unlock()
	return p, nil
}

// running returns a pair if it runs.
func (s *Service) running(a event.Author) (*Pair, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.pairs[a], nil
}

func (s *Service) all() []*Pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	pairs := make([]*Pair, 0, len(s.pairs))
	for _, p := range s.pairs {
		pairs = append(pairs, p)
	}
	return pairs
}

// receive holds a chat stream that the other opened until it ends. One with a
// stranger ends too when he has nothing to say, and takes the pair with it.
func (s *Service) receive(a event.Author, stream *sealed) error {
	if s.remembers(a) {
		p, err := s.pair(a)
		if err == nil {
			p.hold(stream, false)
		}
		return err
	}
	if !s.admitStranger(a) {
		return errStranger
	}
	defer s.dismiss(a)
	p, err := s.pair(a)
	if err != nil {
		return err
	}
	late := time.AfterFunc(strangerTime, func() {
		if !s.remembers(a) {
			_ = stream.Reset()
		}
	})
	defer late.Stop()
	p.hold(stream, false)
	return nil
}

// admitStranger counts a stream of a stranger in, if he could be remembered;
// dismiss counts it out.
func (s *Service) admitStranger(a event.Author) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.strange >= maxStrangers || !s.roomLocked(false) {
		return false
	}
	s.strange++
	s.strangers[a]++
	return true
}

func (s *Service) dismiss(a event.Author) {
	s.starting.Lock() // whoever wants the pair now waits until it is gone, and starts it anew
	defer s.starting.Unlock()
	s.mu.Lock()
	p := s.pairs[a]
	ends := s.goneLocked(a) && p != nil && !s.closed
	if ends {
		delete(s.pairs, a)
		delete(s.byLog, p.log)
		s.metrics.pairs.Dec()
	}
	s.mu.Unlock()
	if ends {
		p.cancel()
		s.cfg.Delivery.Leave(p.log)
	}
}

// goneLocked counts a stream of a stranger out, unless he has become known; last
// says that he has no other.
func (s *Service) goneLocked(a event.Author) (last bool) {
	if s.strangers[a] == 0 {
		return false
	}
	s.strange--
	if s.strangers[a]--; s.strangers[a] > 0 {
		return false
	}
	delete(s.strangers, a)
	return true
}
