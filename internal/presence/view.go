package presence

import (
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// Peer is what is known of a peer by its signals.
type Peer struct {
	Author event.Author
	Nick   string // may be empty
	Online bool
	Heard  time.Time // when its last signal came, on the local clock
}

// Online returns how many peers are online, oneself included.
func (s *Service) Online() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.online + 1
}

// Peer returns what is known of one peer.
func (s *Service) Peer(author event.Author) (Peer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.peer(author)
}

func (t *table) peer(author event.Author) (Peer, bool) {
	e, ok := t.peers[author]
	if !ok {
		return Peer{}, false
	}
	return Peer{Author: author, Nick: e.nick, Online: e.online, Heard: e.heard}, true
}

// InRoom returns the peers that say they are in the room with that comparison
// key, in no order.
func (s *Service) InRoom(key string) []Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.table.rooms[key]
	if r == nil {
		return nil
	}
	peers := make([]Peer, 0, len(r.in))
	for author := range r.in {
		p, _ := s.table.peer(author)
		peers = append(peers, p)
	}
	return peers
}

// IsIn reports whether a peer says that it is in the room with that comparison
// key.
func (s *Service) IsIn(key string, author event.Author) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.table.rooms[key]
	if r == nil {
		return false
	}
	_, in := r.in[author]
	return in
}

// Rooms returns the rooms that others say they are in: the comparison key of
// each and its name.
func (s *Service) Rooms() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make(map[string]string, len(s.table.rooms))
	for key, r := range s.table.rooms {
		names[key] = r.name
	}
	return names
}
