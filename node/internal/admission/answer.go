package admission

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/wire"
)

// answer is the stream handler of hello: the responder's side.
func (s *Service) answer(str network.Stream) {
	p := str.Conn().RemotePeer()
	leave, ok := s.enter(p, str.Conn())
	if !ok {
		s.cfg.OnResult("responder", "limited")
		_ = str.Reset()
		return
	}
	defer leave()
	stop := context.AfterFunc(s.ctx, func() { _ = str.Reset() })
	defer stop()
	_ = str.SetDeadline(time.Now().Add(exchangeTime))
	err := s.respond(str, p)
	if err == nil {
		_ = str.Close()
		return
	}
	_ = str.Reset()
	reason := reasonOf(err)
	s.cfg.OnResult("responder", reason)
	s.log.Debug("hello not accepted", "peer", p, "reason", reason, "err", err)
	// Without an answer here is nothing to say: our own greeting goes on.
	if final(err) {
		s.refuse(p, reason)
	}
}

// respond runs one handshake as responder. It admits, then acknowledges.
func (s *Service) respond(str network.Stream, p peer.ID) error {
	cfg, err := s.handshake(str)
	if err != nil {
		return err
	}
	h, err := hello.Respond(cfg)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(str, hello.MaxMessage)
	first, err := readMessage(r)
	if err != nil {
		return err
	}
	challenge, err := h.Challenge(first, s.cfg.Now())
	if err != nil {
		return err
	}
	proof, err := exchange(str, r, challenge)
	if err != nil {
		return err
	}
	ack, a, err := h.Admit(proof)
	if err != nil {
		return err
	}
	if !s.admit(p, a, "responder") {
		return fmt.Errorf("%w: the peer is gone", errGone)
	}
	if err := wire.WriteFrame(str, ack); err != nil {
		return fmt.Errorf("%w: %w", hello.ErrHalfOpen, err)
	}
	return nil
}

// errUnregistered: this node has nothing to prove its membership with yet.
var errUnregistered = errors.New("no ticket yet")

// errRevoked: the peer is a member no more.
var errRevoked = errors.New("revoked")

// errGone: proven, but no connection is left to admit.
var errGone = errors.New("not admitted")

// handshake is our side of one handshake, with a fresh nonce. A peer ID without
// an Ed25519 key is nobody's who could write an event.
//
// spec: 02-hello §1
func (s *Service) handshake(str network.Stream) (hello.Config, error) {
	remote := str.Conn().RemotePeer()
	key, err := wire.Author(remote)
	if err != nil {
		return hello.Config{}, fmt.Errorf("%w: %w", hello.ErrForm, err)
	}
	if s.cfg.Revoked != nil && s.cfg.Revoked(remote) {
		return hello.Config{}, errRevoked
	}
	cfg := hello.Config{
		Network: s.cfg.Network, Secrets: s.cfg.Secrets(),
		Local: []byte(s.host.ID()), Remote: []byte(remote), RemoteKey: key,
		Sign: s.cfg.Sign, CheckTicket: func(signed []byte) error { return s.cfg.CheckTicket(remote, signed) },
	}
	if s.cfg.Role != nil {
		cfg.Role = s.cfg.Role()
	}
	if s.cfg.Newest != nil {
		cfg.Revoked = s.cfg.Newest()
	}
	if s.cfg.Ticket != nil {
		cfg.Ticket = s.cfg.Ticket()
	}
	if cfg.Ticket == nil && len(cfg.Secrets) == 0 {
		return hello.Config{}, errUnregistered
	}
	if _, err := rand.Read(cfg.Nonce[:]); err != nil {
		return cfg, fmt.Errorf("nonce: %w", err)
	}
	return cfg, nil
}

// enter takes one of the places for answering, or reports that p, its address
// or all strangers together have too many or too fast. Call leave afterwards.
func (s *Service) enter(p peer.ID, c network.Conn) (leave func(), ok bool) {
	stranger := !s.gate.Known(p)
	if stranger && s.cfg.Rate != nil && !s.cfg.Rate.Allow(addrOf(c)) {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.answers[p] >= maxAtOnceEach || (stranger && s.total >= maxAtOnce) {
		return nil, false
	}
	s.answers[p]++
	if stranger {
		s.total++
	}
	s.wg.Add(1)
	return func() { s.leave(p, stranger) }, true
}

func (s *Service) leave(p peer.ID, stranger bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers[p]--; s.answers[p] == 0 {
		delete(s.answers, p)
	}
	if stranger {
		s.total--
	}
	s.wg.Done()
}

// addrOf is the address to account a stranger to; all without an IP share one.
func addrOf(c network.Conn) netip.Addr {
	ip, err := manet.ToIP(c.RemoteMultiaddr())
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
