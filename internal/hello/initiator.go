package hello

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"
)

// Initiator is the side that opened the stream. Its steps are Prove and Finish, once
// each and in this order.
type Initiator struct {
	config Config
	talk   transcript
	sent   time.Time
	means  means
	result Admitted
	next   uint64 // step expected; 0 = failed or finished
}

// Initiate begins a handshake and returns the first message. now is the wall clock.
func Initiate(c Config, now time.Time) (*Initiator, []byte, error) {
	if err := c.check(); err != nil {
		return nil, nil, err
	}
	mark := networkMark(c.Network, c.Nonce[:])
	b := body{
		nonce: c.Nonce[:], network: mark[:],
		min: uint64(c.Min), max: uint64(c.Max), features: c.Features, role: uint64(c.Role),
		clock: clockMillis(now), methods: c.methods(), revoked: c.newestRevoked(),
	}
	for _, s := range c.Secrets {
		b.epochs = append(b.epochs, s.Epoch)
	}
	first := message{step: stepHello, body: b.encode()}
	i := &Initiator{config: c, sent: now, next: stepChallenge}
	i.talk = transcript{network: c.Network, initiator: c.Local, responder: c.Remote}
	i.talk.add(first.body)
	return i, first.encode(), nil
}

// Prove takes the challenge, which proves the responder's membership, and returns the
// message that proves ours. now is the wall clock.
func (i *Initiator) Prove(challenge []byte, now time.Time) ([]byte, error) {
	if !take(&i.next, stepChallenge) {
		return nil, ErrOrder
	}
	m, err := parseMessage(challenge, stepChallenge)
	if err != nil {
		return nil, i.reflected(challenge, err)
	}
	b, err := parseBody(m.body)
	if err != nil {
		return nil, err
	}
	if err := i.accept(&b); err != nil {
		return nil, err
	}
	i.talk.add(bytes.Clone(m.body))
	i.means.shown(&i.talk, m.ticket)
	if err := i.means.check(&i.talk, labelChallenge, m.proof); err != nil {
		return nil, err
	}
	if i.result.Ticket, err = i.means.examine(m.ticket); err != nil {
		return nil, err
	}
	i.result.Skew = skew(b.clock, i.sent.Add(now.Sub(i.sent)/2))
	i.talk.add(nil)
	i.next = stepAck
	reply := message{step: stepProof, ticket: i.means.ticket(&i.talk)}
	reply.proof = i.means.prove(&i.talk, labelProof)
	return reply.encode(), nil
}

// accept checks what the responder chose against what was offered.
func (i *Initiator) accept(b *body) error {
	c := &i.config
	if bytes.Equal(b.nonce, c.Nonce[:]) {
		return fmt.Errorf("%w: nonce", ErrReflected)
	}
	if b.version < uint64(c.Min) || b.version > uint64(c.Max) {
		return fmt.Errorf("%w: %d chosen", ErrVersion, b.version)
	}
	if b.method != methodSecret && b.method != methodTicket || b.method&c.methods() == 0 {
		return fmt.Errorf("%w: %d chosen", ErrMethod, b.method)
	}
	i.means = means{method: b.method, config: c}
	i.result = Admitted{Version: uint32(b.version), Features: b.features & c.Features, Role: Role(b.role)}
	copy(i.result.Revoked[:], b.revoked)
	if b.method == methodTicket {
		return nil
	}
	at := slices.IndexFunc(c.Secrets, func(s Secret) bool { return s.Epoch == b.epoch })
	if at < 0 {
		return fmt.Errorf("%w: %d chosen", ErrEpoch, b.epoch)
	}
	i.means.key, i.result.Epoch = c.Secrets[at].Key, b.epoch
	return nil
}

// reflected tells a message of our own that came back from one that is broken.
func (i *Initiator) reflected(msg []byte, err error) error {
	if m, again := parseMessage(msg, stepHello); again == nil && bytes.Equal(m.body, i.talk.bodies[0]) {
		return ErrReflected
	}
	return err
}

// Finish takes the acknowledgement: the responder has admitted us, and from now on it
// is admitted too.
func (i *Initiator) Finish(ack []byte) (Admitted, error) {
	if !take(&i.next, stepAck) {
		return Admitted{}, ErrOrder
	}
	m, err := parseMessage(ack, stepAck)
	if err != nil {
		return Admitted{}, err
	}
	i.talk.add(m.body)
	if err := i.means.check(&i.talk, labelAck, m.proof); err != nil {
		return Admitted{}, err
	}
	return i.result, nil
}

// take reports whether this step's turn has come, and ends the handshake until the step
// has succeeded and says what comes next.
func take(next *uint64, step uint64) bool {
	ok := *next == step
	*next = 0
	return ok
}

func clockMillis(now time.Time) uint64 { return uint64(min(max(now.UnixMilli(), 1), maxClock)) }

// skew is how far a clock that showed millis at this moment was ahead of ours; at most
// what a time.Duration holds.
func skew(millis uint64, at time.Time) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	ms := int64(millis) - int64(clockMillis(at))
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}
