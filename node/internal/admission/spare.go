package admission

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/hello"
)

// Spare keeps this side from refusing p, and so from closing its connections,
// until release is called: p is not a member yet and is being made one. It may be
// called several times at once.
func (s *Service) Spare(p peer.ID) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spared[p]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.spared[p]--; s.spared[p] == 0 {
			delete(s.spared, p)
		}
	}
}

func (s *Service) spares(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spared[p] > 0
}

// mayRegister reports whether a peer whose hello failed so may be here to register,
// with a program that speaks nothing else: then it has the time of a silent one.
func (s *Service) mayRegister(reason string) bool {
	return reason == reasonUnspoken && s.cfg.Role != nil && s.cfg.Role() == hello.RoleRegistrar
}
