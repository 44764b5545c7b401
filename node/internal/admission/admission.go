// Package admission runs the hello handshake on every connection of a libp2p
// host and tells the gate which peers to let in.
//
// When a peer connects, this side starts a handshake (the dialled side a moment
// later, so that mostly one is enough) and tries again while the failure may be
// a matter of the moment. The handshake of the other side is always answered,
// also for an admitted peer, which may have forgotten us. The responder admits,
// then acknowledges; the initiator admits on the acknowledgement.
//
// A failure that time will not mend (another network, a wrong secret, no common
// version, no hello at all) closes the peer, forgets its addresses, so that no
// protocol hands them on, and keeps this side from dialling it for a time that
// grows exponentially. It is not held against the peer's own attempts: who has
// mended its secret is admitted at once. An admitted peer is not touched by any
// failure.
//
// What a stranger can make a node do is bounded: handshakes at once, in all and
// a peer; handshakes a second an address; the size and time of each; how long
// it may stay connected without being admitted. Peers admitted before are not
// subject to what strangers of their address have used up.
package admission

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/x/rate"

	"github.com/parley-chat/parley/internal/hello"
)

// ProtocolID is the hello protocol of the network with this tag.
//
// spec: 02-hello §1
func ProtocolID(tag string) protocol.ID { return protocol.ID("/parley/" + tag + "/hello/1.0.0") }

// Gate is what admission needs of the gate.
type Gate interface {
	Admit(peer.ID) bool
	Refuse(peer.ID)
	Admitted(peer.ID) bool
	Connected(peer.ID) bool
	Known(peer.ID) bool
}

// Config describes one node's side. Network, Tag and Secrets are required.
type Config struct {
	Tag     string
	Network [32]byte
	// Secrets returns the secrets to offer, at most hello.MaxEpochs. It is
	// called for each handshake, so they may change.
	Secrets func() []hello.Secret
	// Ticket returns the registrar's ticket to show, nil if there is none. Sign
	// signs with the host's key, CheckTicket says what is wrong with a peer's
	// ticket. They are needed where Ticket is not nil.
	Ticket      func() []byte
	Sign        func(msg []byte) []byte
	CheckTicket func(p peer.ID, signed []byte) error
	// Revoked reports whether a peer is a member no more, whatever it shows; nil: none
	// is. Newest returns the newest revocation known, zero for none; nil: none.
	Revoked func(peer.ID) bool
	Newest  func() [32]byte
	// Role returns what to say that this node does; nil: RoleNode.
	Role func() hello.Role

	// OnProven hears of each finished handshake before the peer is let in, so that
	// who is told of its admission finds what it said. forget is called if it is gone
	// by then. Neither must block.
	OnProven func(peer.ID, hello.Admitted) (forget func())
	// OnAdmitted hears of each finished handshake of a peer that is admitted,
	// from the goroutine that ran it. It must not block.
	OnAdmitted func(peer.ID, hello.Admitted)
	// OnRefused hears of each peer closed for good reason, with what was counted
	// for it. It must not block.
	OnRefused func(p peer.ID, reason string)
	// OnGone hears of each peer whose last connection went before it was admitted
	// or refused. It must not block.
	OnGone func(peer.ID)
	// OnResult hears how each handshake ended: the side ("initiator",
	// "responder") and "admitted" or the reason. For counters; must not block.
	OnResult func(side, result string)

	Logger *slog.Logger
	// Rate limits the handshakes of strangers by address; nil means no limit.
	Rate *rate.Limiter
	// Now is the wall clock told to the other side; nil is time.Now.
	Now func() time.Time
}

// Tuning.
const (
	exchangeTime  = 10 * time.Second       // a handshake may take
	strangerTime  = 30 * time.Second       // a peer may be connected unadmitted
	repeaterTime  = 10 * time.Second       // the same, for one that failed before
	listenerDelay = 300 * time.Millisecond // the dialled side starts later
	firstRetry    = 250 * time.Millisecond // after a failure of the moment; doubles
	lastRetry     = 4 * time.Second
	forgetDelay   = 500 * time.Millisecond // until identify has stored its last word
	maxAtOnce     = 256                    // handshakes answered at once, strangers'
	maxAtOnceEach = 4                      // and of one peer
	firstBackoff  = 5 * time.Second        // not dialling a refused peer; doubles
	lastBackoff   = 10 * time.Minute
	maxBackoffs   = 4096 // peers remembered as refused
)

// Service runs admission on one host. Make one with New.
type Service struct {
	host host.Host
	gate Gate
	cfg  Config
	log  *slog.Logger
	id   protocol.ID

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	greeting map[peer.ID]struct{}
	answers  map[peer.ID]int // handshakes being answered
	total    int             // of strangers
	backoff  backoffs
	spared   map[peer.ID]int // who is not to be refused for now, by how many
}

// New makes the service and answers hello on h, the real host, from now on.
// Tell it of connections with [Service.Connected].
func New(h host.Host, g Gate, cfg Config) *Service {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OnProven == nil {
		cfg.OnProven = func(peer.ID, hello.Admitted) func() { return func() {} }
	}
	if cfg.OnAdmitted == nil {
		cfg.OnAdmitted = func(peer.ID, hello.Admitted) {}
	}
	if cfg.OnRefused == nil {
		cfg.OnRefused = func(peer.ID, string) {}
	}
	if cfg.OnGone == nil {
		cfg.OnGone = func(peer.ID) {}
	}
	if cfg.OnResult == nil {
		cfg.OnResult = func(string, string) {}
	}
	s := &Service{
		host: h, gate: g, cfg: cfg, log: cfg.Logger, id: ProtocolID(cfg.Tag),
		greeting: make(map[peer.ID]struct{}),
		answers:  make(map[peer.ID]int),
		backoff:  backoffs{failed: make(map[peer.ID]failure)},
		spared:   make(map[peer.ID]int),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	h.SetStreamHandler(s.id, s.answer)
	return s
}

// Close stops answering, ends all handshakes and waits for them.
func (s *Service) Close() error {
	s.host.RemoveStreamHandler(s.id)
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	return nil
}

// Connected says that a connection to the unadmitted peer p stands. It starts
// greeting p unless that is under way. It does not block.
func (s *Service) Connected(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.greeting[p]; ok || s.closed {
		return
	}
	s.greeting[p] = struct{}{}
	s.wg.Go(func() { s.greet(p) })
}

// MayDial returns [ErrBackoff] while p is not to be dialled.
func (s *Service) MayDial(p peer.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backoff.check(p, time.Now())
}

// admit lets p in after a handshake and reports whether it is in.
func (s *Service) admit(p peer.ID, a hello.Admitted, side string) bool {
	forget := s.cfg.OnProven(p, a)
	if !s.gate.Admit(p) {
		forget()
		s.cfg.OnResult(side, "gone")
		return false
	}
	s.mu.Lock()
	s.backoff.clear(p)
	s.mu.Unlock()
	s.host.ConnManager().Protect(p, protectTag)
	s.cfg.OnResult(side, "admitted")
	s.cfg.OnAdmitted(p, a)
	return true
}

// protectTag keeps the connection manager from closing admitted peers before
// strangers.
const protectTag = "parley-admitted"

// Gone says that p is no longer admitted.
func (s *Service) Gone(p peer.ID) { s.host.ConnManager().Unprotect(p, protectTag) }

// refuse closes a peer for good reason, unless it is admitted or spared.
func (s *Service) refuse(p peer.ID, reason string) {
	if s.gate.Admitted(p) || s.spares(p) {
		return
	}
	s.mu.Lock()
	wait := s.backoff.fail(p, time.Now())
	s.mu.Unlock()
	s.log.Info("peer refused", "peer", p, "reason", reason, "backoff", wait)
	s.cfg.OnRefused(p, reason)
	s.gate.Refuse(p)
	_ = s.host.Network().ClosePeer(p)
}

// forget drops the addresses of a peer that went without being admitted, once
// identify has stored its last word: what is in the peerstore, Kademlia hands
// on to members.
func (s *Service) forget(p peer.ID) {
	if s.gate.Known(p) || !s.sleep(forgetDelay) {
		return
	}
	if s.host.Network().Connectedness(p) == network.NotConnected {
		s.host.Peerstore().ClearAddrs(p)
	}
}

// sleep reports false if the service closes meanwhile.
func (s *Service) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
