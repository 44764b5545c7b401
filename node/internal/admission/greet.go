package admission

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/wire"
)

// greet is one peer's goroutine: it starts handshakes until p is admitted or
// gone, which a refusal makes it.
func (s *Service) greet(p peer.ID) {
	begin := time.Now()
	patience := s.patience(p)
	s.sleepFirst(p)
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		if s.endGreeting(p) {
			s.left(p)
			s.forget(p)
			return
		}
		reason, pointless := s.attempt(p)
		hopeless := pointless && !s.mayRegister(reason) || time.Since(begin) > patience
		switch {
		case s.gate.Admitted(p):
		case hopeless && !s.spares(p):
			s.refuse(p, reason)
		default:
			s.sleep(retry)
		}
	}
}

// attempt starts one handshake. If it fails it names the reason and says
// whether further ones on these connections are pointless.
func (s *Service) attempt(p peer.ID) (reason string, pointless bool) {
	// Who was refused lately and comes again is not asked, but may ask.
	if s.MayDial(p) != nil && !s.dialled(p) {
		return "silent", false
	}
	err := s.initiate(p)
	if err == nil {
		return "", false
	}
	reason = reasonOf(err)
	s.log.Debug("hello failed", "peer", p, "reason", reason, "err", err)
	return reason, final(err)
}

// endGreeting reports whether nothing is left to do for p, and forgets the
// greeting in the same breath: a connection that comes later starts a new one.
func (s *Service) endGreeting(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil && s.gate.Connected(p) && !s.gate.Admitted(p) {
		return false
	}
	delete(s.greeting, p)
	return true
}

// left tells of a peer that went and may be back soon: it may have had too much
// to do for one more. Who was refused is left alone.
func (s *Service) left(p peer.ID) {
	if s.ctx.Err() == nil && !s.gate.Admitted(p) && s.MayDial(p) == nil {
		s.cfg.OnGone(p)
	}
}

func (s *Service) patience(p peer.ID) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backoff.count(p) > 0 {
		return repeaterTime
	}
	return strangerTime
}

// sleepFirst lets the side that dialled begin.
func (s *Service) sleepFirst(p peer.ID) {
	if !s.dialled(p) {
		s.sleep(listenerDelay)
	}
}

// dialled reports whether a connection to p is of our making.
func (s *Service) dialled(p peer.ID) bool {
	return slices.ContainsFunc(s.host.Network().ConnsToPeer(p), func(c network.Conn) bool {
		return c.Stat().Direction == network.DirOutbound
	})
}

// initiate runs one handshake as initiator.
func (s *Service) initiate(p peer.ID) error {
	ctx, cancel := context.WithTimeout(s.ctx, exchangeTime)
	defer cancel()
	str, err := s.host.NewStream(network.WithNoDial(ctx, "hello"), p, s.id)
	if err != nil {
		s.cfg.OnResult("initiator", reasonOf(err))
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = str.Reset() })
	defer stop()
	_ = str.SetDeadline(time.Now().Add(exchangeTime))
	a, err := s.sayHello(str)
	if err != nil {
		_ = str.Reset()
		s.cfg.OnResult("initiator", reasonOf(err))
		return err
	}
	_ = str.Close()
	s.admit(p, a, "initiator")
	return nil
}

func (s *Service) sayHello(str network.Stream) (hello.Admitted, error) {
	cfg, err := s.handshake(str)
	if err != nil {
		return hello.Admitted{}, err
	}
	i, first, err := hello.Initiate(cfg, s.cfg.Now())
	if err != nil {
		return hello.Admitted{}, err
	}
	r := bufio.NewReaderSize(str, hello.MaxMessage)
	challenge, err := exchange(str, r, first)
	if err != nil {
		return hello.Admitted{}, err
	}
	proof, err := i.Prove(challenge, s.cfg.Now())
	if err != nil {
		return hello.Admitted{}, err
	}
	ack, err := exchange(str, r, proof)
	if err != nil {
		return hello.Admitted{}, err
	}
	return i.Finish(ack)
}

// exchange sends one message and reads the answer.
func exchange(str network.Stream, r *bufio.Reader, msg []byte) ([]byte, error) {
	if err := wire.WriteFrame(str, msg); err != nil {
		return nil, fmt.Errorf("%w: %w", hello.ErrHalfOpen, err)
	}
	return readMessage(r)
}

// readMessage reads one message within the limit.
func readMessage(r *bufio.Reader) ([]byte, error) {
	m, err := wire.ReadFrame(r, hello.MaxMessage)
	if errors.Is(err, wire.ErrFrameSize) {
		return nil, fmt.Errorf("%w: %w", hello.ErrTooLarge, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hello.ErrHalfOpen, err)
	}
	return m, nil
}

// reasonUnspoken: the peer does not speak our network's hello.
const reasonUnspoken = "unspoken"

func reasonOf(err error) string {
	if unspoken(err) {
		return reasonUnspoken
	}
	if errors.Is(err, errUnregistered) {
		return "unregistered"
	}
	if errors.Is(err, errRevoked) {
		return "revoked"
	}
	return hello.Reason(err)
}

func unspoken(err error) bool {
	var e multistream.ErrNotSupported[protocol.ID]
	return errors.As(err, &e)
}

// final reports whether trying again on this connection is pointless. A stream
// that broke, ran out of time or whose bytes came mangled is worth a retry.
func final(err error) bool {
	if unspoken(err) {
		return true
	}
	for _, e := range []error{
		hello.ErrNetwork, hello.ErrVersion, hello.ErrMethod, hello.ErrEpoch, hello.ErrTicket,
		hello.ErrProof, hello.ErrForm, hello.ErrTooLarge, hello.ErrReflected, errRevoked,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
