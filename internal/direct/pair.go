package direct

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Pace of dialling. spec: 07-direct §3
const (
	yieldTime = time.Second            // the higher peer ID leaves the lower to open first
	firstDial = 500 * time.Millisecond // before it is tried again
	lastDial  = 5 * time.Minute
	lived     = time.Minute // a stream that held so long was a good one
)

// States of own events.
const (
	Queued    = "queued"
	Sent      = "sent"
	Delivered = "delivered"
	Read      = "read"
)

// Pair is the chat with one author, running.
type Pair struct {
	s      *Service
	author event.Author
	peer   peer.ID
	log    event.LogID
	rep    *delivery.Log
	kick   chan struct{} // to the dialler: look again
	ctx    context.Context
	cancel context.CancelFunc // ends the dialler and the streams

	mu    sync.Mutex
	rec   record
	dirty bool
	link  *link // the current stream
	out   outbox
	owed  []owed // stored of his, oldest first, and not acknowledged
	tries int    // dials since the last good stream
	next  time.Time
}

// owed is a batch to be acknowledged.
type owed struct {
	before Place // what its first event follows
	at     Place // its last event
}

// startPair starts the replication of a chat; s.starting is held.
func startPair(s *Service, a event.Author) (*Pair, error) {
	p := &Pair{s: s, author: a, peer: wire.PeerID(a), log: s.LogOf(a), kick: make(chan struct{}, 1)}
	var err error
	if p.rec, err = s.load(a); err != nil {
		return nil, err
	}
	if p.rep, err = s.cfg.Delivery.JoinDirect(p.log, p, p.admits); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancel(s.ctx)
	return p, nil
}

func (p *Pair) current() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link
}

// Log is the chat's replication, to which drafts are submitted.
func (p *Pair) Log() *delivery.Log { return p.rep }

// self reports whether this is the chat with oneself.
func (p *Pair) self() bool { return p.author == p.s.cfg.Author }

// ours notes that this side writes in the chat: it is no longer one that
// others began.
func (p *Pair) ours() {
	p.mu.Lock()
	if !p.rec.Ours {
		p.rec.Ours = true
		p.changedLocked()
	}
	p.mu.Unlock()
	p.s.mu.Lock()
	if !p.s.chats[p.author] {
		p.s.chats[p.author] = true
		p.s.begun--
	}
	p.s.mu.Unlock()
}

// admits refuses what is not of the two, and what one who was never answered
// writes beyond his bound. spec: 07-direct §7
func (p *Pair) admits(b *event.Batch) error {
	if a := b.Author(); a != p.author && a != p.s.cfg.Author {
		return delivery.ErrAuthor
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.rec.Ours && p.rec.Bytes > maxUnanswered {
		return errUnanswered
	}
	return nil
}

var errUnanswered = errors.New("too much of one who was never answered")

// MarkRead notes that a person was shown his events up to a place, and tells
// him, now or when he is met. What was read stays so.
func (p *Pair) MarkRead(at Place) {
	p.mu.Lock()
	if at.Seq > p.rec.Read.Seq {
		p.rec.Read = at
		p.changedLocked()
	}
	l := p.link
	p.mu.Unlock()
	l.wakeUp()
	p.look()
}

// Signal tells the other what an application says in passing: the body of a
// frame, which is not remembered. Errors: ErrAway when there is no stream to
// him, ErrOften when as many wait as may.
func (p *Pair) Signal(body []byte) error {
	l := p.current()
	if l == nil {
		return ErrAway
	}
	select {
	case l.passing <- body:
		l.wakeUp()
		return nil
	default:
		return ErrOften
	}
}

// Here reports whether there is a stream to the other.
func (p *Pair) Here() bool { return p.current() != nil }

// Publish takes a stored own batch to the other. It is called by replication,
// in the order of the chain.
func (p *Pair) Publish(_ context.Context, b *event.Batch) error {
	p.mu.Lock()
	l := p.link
	if l != nil {
		p.out.add(b)
	} else if soon := time.Now().Add(firstDial); p.tries == 0 {
		p.next = time.Time{} // it is urgent now
	} else if p.next.After(soon) {
		p.next = soon
	}
	p.mu.Unlock()
	if l == nil {
		p.s.seeker.want(p.author, firstDial)
	}
	l.wakeUp()
	p.look()
	return nil
}

// Peers is the other, when he is there and has opened the chat, but not while
// he sends what he announced: nothing is to be asked of him then.
func (p *Pair) Peers() []peer.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link == nil || p.link.announced.Seq > 0 {
		return nil
	}
	return []peer.ID{p.peer}
}

// Open opens a sealed stream to the other, for a request about this log. What a
// stranger has is not asked for: he has to say it, and is then remembered.
func (p *Pair) Open(ctx context.Context, to peer.ID, purpose string) (delivery.Stream, error) {
	if to != p.peer || p.self() {
		return nil, errors.New("not the other of the pair")
	}
	if !p.s.remembers(p.author) {
		return nil, errStranger
	}
	s, err := p.s.open(ctx, to, purpose)
	if err != nil { // not a nil *sealed in an interface
		return nil, err
	}
	return s, nil
}

// met says that the other was admitted just now.
func (p *Pair) met() {
	own, _, err := p.s.cfg.Store.Last(p.log, p.s.cfg.Author)
	p.mu.Lock()
	waits := err != nil || own > p.rec.Acked.Seq || p.rec.Read != p.rec.Told
	p.tries, p.next = 0, time.Time{}
	if !waits && !p.stays(true) {
		p.next = time.Now().Add(yieldTime)
	}
	p.mu.Unlock()
	p.look()
}

func (p *Pair) look() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// dial opens the stream whenever the other is there and there is none, for as
// long as the pair lives.
func (p *Pair) dial() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-p.kick:
		case <-timer.C:
		case <-p.ctx.Done():
			return
		}
		if wait := p.tryDial(); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// tryDial opens the stream if it is due. It returns when to look again; 0 is
// when kicked.
func (p *Pair) tryDial() time.Duration {
	if p.s.cfg.Host.Network().Connectedness(p.peer) != network.Connected {
		return 0
	}
	if !p.s.remembers(p.author) { // he opened it, and nothing was said
		return 0
	}
	p.mu.Lock()
	wait := time.Until(p.next)
	if p.link != nil || wait > 0 {
		up := p.link != nil
		p.mu.Unlock()
		if up {
			return 0
		}
		return wait
	}
	backoff := min(firstDial<<min(p.tries, 20), lastDial)
	p.tries++
	again := backoff/2 + rand.N(backoff/2)
	p.next = time.Now().Add(again)
	p.mu.Unlock()
	stream, err := p.s.open(p.ctx, p.peer, wire.ForChat)
	if err != nil {
		p.s.metrics.failed.Inc()
		p.s.log.Debug("direct stream not opened", "peer", p.peer, "err", err)
		return again
	}
	p.s.wg.Go(func() { p.hold(stream, true) })
	return 0
}

// take makes l the current stream, or refuses it: of two that each opened, the
// one of the lower peer ID stays; of two that one opened, the later.
// spec: 07-direct §3
func (p *Pair) take(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.link; old != nil {
		if old.opened != l.opened && !p.stays(l.opened) {
			return false
		}
		old.end()
		p.s.metrics.switched.Inc()
	}
	p.link = l
	p.out = outbox{}
	return true
}

// stays reports whether a stream that we opened, or else he, is the one to
// stay.
func (p *Pair) stays(opened bool) bool {
	return (string(p.s.cfg.Author[:]) < string(p.author[:])) == opened
}

// drop forgets a stream that has ended.
func (p *Pair) drop(l *link, began time.Time) {
	p.mu.Lock()
	if p.link == l {
		p.link = nil
	}
	if time.Since(began) > lived {
		p.tries, p.next = 0, time.Time{}
	}
	if wait := firstDial; time.Until(p.next) < wait { // he may be the one who has to open
		p.next = time.Now().Add(wait)
	}
	p.mu.Unlock()
	p.s.seeker.left(p.author)
	p.look()
}
