package appsignal

import (
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/event"
)

// own marks a signal that this node publishes itself.
type own struct{}

// validate is the verdict on a gossiped signal, and hands it on. Only what is
// wrong for everyone is rejected. spec: 10-signals §3
func (s *Service) validate(log event.LogID, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	if _, ok := msg.ValidatorData.(own); ok {
		return pubsub.ValidationAccept
	}
	if !s.all.Take(from, 1) || !s.useless.Solvent(from) {
		s.metrics.refused.WithLabelValues("budget").Inc()
		return pubsub.ValidationIgnore
	}
	sig, proof, err := parse(msg.Data)
	if err != nil {
		s.reject(from, err)
		return pubsub.ValidationReject
	}
	if why := s.ignores(log, sig); why != "" { // before the signature, which costs the most
		return s.ignore(from, why)
	}
	if !proof.valid(s.cfg.Network, log, sig.Author) {
		s.reject(from, ErrSignature)
		return pubsub.ValidationReject
	}
	if why := s.refuses(sig); why != "" {
		return s.ignore(from, why)
	}
	s.metrics.heard.Inc()
	s.cfg.Heard(log, sig)
	return pubsub.ValidationAccept
}

// ignore charges what is of no use to who sent it; that one's own comes back is
// nobody's fault.
func (s *Service) ignore(from peer.ID, why string) pubsub.ValidationResult {
	s.metrics.refused.WithLabelValues(why).Inc()
	if why != "own" {
		s.useless.Charge(from, 1)
	}
	return pubsub.ValidationIgnore
}

func (s *Service) reject(from peer.ID, err error) {
	reason := "form"
	if errors.Is(err, ErrSignature) {
		reason = "signature"
	}
	s.metrics.refused.WithLabelValues(reason).Inc()
	s.useless.Charge(from, rejectCost)
	s.log.Debug("application's signal refused", "peer", from, "err", err)
}

// ignores says why a signal does not count here, whoever made it; empty if it
// may.
func (s *Service) ignores(log event.LogID, sig *Signal) string {
	if sig.Author == s.cfg.Author {
		return "own" // come back
	}
	if ahead := time.UnixMilli(sig.Time).Sub(s.cfg.Now()); ahead > maxSkew || ahead < -maxSkew {
		return "time"
	}
	if !s.cfg.Counts(log, sig.Author) {
		return "stranger"
	}
	if s.knows(sig) {
		return "stale"
	}
	return ""
}

// refuses says why a verified signal does not count; empty if it does.
func (s *Service) refuses(sig *Signal) string {
	if !s.fresh(sig) {
		return "stale" // it came twice at once
	}
	if !s.authors.Take(sig.Author, 1) {
		return "often"
	}
	return ""
}

// knows reports whether a number of an author was taken, or is too old.
func (s *Service) knows(sig *Signal) bool {
	s.numbers.Lock()
	defer s.numbers.Unlock()
	w, ok := s.windows.Peek(sig.Author)
	return ok && w.has(sig.Seq)
}

// fresh reports whether a number of an author is new, and takes it.
func (s *Service) fresh(sig *Signal) bool {
	s.numbers.Lock()
	defer s.numbers.Unlock()
	w, ok := s.windows.Get(sig.Author)
	if !ok {
		w = new(window)
		s.windows.Add(sig.Author, w)
	}
	return w.take(sig.Seq)
}

// Take is the pace of an author whose signals come otherwise than by gossip: it
// reports whether one more may count.
func (s *Service) Take(author event.Author) bool {
	if s.authors.Take(author, 1) {
		s.metrics.heard.Inc()
		return true
	}
	s.metrics.refused.WithLabelValues("often").Inc()
	return false
}
