package presence

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/event"
)

// How much a forwarder may cost. spec: 05-presence §4
const (
	uselessPerSecond = 50 // signals that are of no use
	uselessAtOnce    = 1000
	rejectCost       = 10 // a rejected one counts as so many

	strangersPerSecond = 10 // signals of authors not heard of before
	strangersAtOnce    = 200
)

// own marks a signal that this node publishes itself.
type own struct{}

// validate is the verdict on a gossiped signal and takes it in. Only what is
// wrong for everyone is rejected. spec: 05-presence §4
func (s *Service) validate(_ context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	if _, ok := msg.ValidatorData.(own); ok {
		return pubsub.ValidationAccept
	}
	if !s.useless.Solvent(from) {
		s.metrics.refused.WithLabelValues("budget").Inc()
		return pubsub.ValidationIgnore
	}
	sig, err := Decode(s.cfg.Network, msg.Data)
	if err != nil {
		s.useless.Charge(from, rejectCost)
		s.refused(from, err)
		return pubsub.ValidationReject
	}
	if v := s.take(from, sig, false); v != fresh {
		s.useless.Charge(from, 1)
		return pubsub.ValidationIgnore
	}
	return pubsub.ValidationAccept
}

func (s *Service) refused(from peer.ID, err error) {
	reason := "form"
	if errors.Is(err, ErrSignature) {
		reason = "signature"
	}
	s.metrics.refused.WithLabelValues(reason).Inc()
	s.log.Debug("signal refused", "peer", from, "err", err)
}

// take brings a verified signal into the table and tells of it.
func (s *Service) take(from peer.ID, sig *Signal, direct bool) verdict {
	if sig.Author == s.cfg.Author {
		return stale // our own, come back
	}
	v, changed := s.apply(from, sig, direct)
	if v != fresh {
		s.metrics.refused.WithLabelValues(v.String()).Inc()
		return v
	}
	s.metrics.heard.Inc()
	if changed {
		s.changed(sig.Author)
	}
	if s.cfg.Heard != nil {
		s.cfg.Heard(sig)
	}
	return fresh
}

// apply brings a signal into the table. New authors are charged to who brings
// them: keys cost nothing, and each that is online makes all signals rarer.
func (s *Service) apply(from peer.ID, sig *Signal, direct bool) (v verdict, changed bool) {
	keys := sig.roomKeys()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table.peers[sig.Author] == nil && !direct && !s.strangers.Take(from, 1) {
		return strangers, false
	}
	return s.table.apply(time.Now(), sig.ahead(s.cfg.Now()), sig, keys, direct)
}

// roomKeys drops the rooms that cannot be rooms and returns the comparison
// keys of the others.
func (s *Signal) roomKeys() []string {
	keys := make([]string, 0, len(s.Rooms))
	kept := s.Rooms[:0]
	for _, r := range s.Rooms {
		key, err := event.RoomKey(r.Name)
		if err != nil {
			continue
		}
		keys = append(keys, key)
		kept = append(kept, r)
	}
	s.Rooms = kept
	return keys
}

// String names the verdict in metrics.
func (v verdict) String() string {
	return [...]string{"fresh", "stale", "future", "past", "full", "often", "strangers"}[v]
}
