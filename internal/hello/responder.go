package hello

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Responder is the side that accepted the stream. Its steps are Challenge and Admit,
// once each and in this order.
type Responder struct {
	config Config
	talk   transcript
	means  means
	result Admitted
	next   uint64 // step expected; 0 = failed or finished
}

// Respond prepares the answer to a handshake.
func Respond(c Config) (*Responder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	r := &Responder{config: c, next: stepHello}
	r.talk = transcript{network: c.Network, initiator: c.Remote, responder: c.Local}
	return r, nil
}

// Challenge takes the first message and returns the second, which proves our membership
// and asks for the other's. now is the wall clock.
func (r *Responder) Challenge(hello []byte, now time.Time) ([]byte, error) {
	if !take(&r.next, stepHello) {
		return nil, ErrOrder
	}
	m, err := parseMessage(hello, stepHello)
	if err != nil {
		return nil, err
	}
	b, err := parseBody(m.body)
	if err != nil {
		return nil, err
	}
	if err := r.choose(&b); err != nil {
		return nil, err
	}
	r.result.Skew = skew(b.clock, now)
	c := &r.config
	answer := body{
		nonce: c.Nonce[:], features: c.Features, role: uint64(c.Role), clock: clockMillis(now),
		version: uint64(r.result.Version), epoch: r.result.Epoch, method: r.means.method, revoked: c.newestRevoked(),
	}
	reply := message{step: stepChallenge, body: answer.encode()}
	r.talk.add(bytes.Clone(m.body))
	r.talk.add(reply.body)
	reply.ticket = r.means.ticket(&r.talk)
	reply.proof = r.means.prove(&r.talk, labelChallenge)
	r.next = stepProof
	return reply.encode(), nil
}

// choose settles version, method and epoch: the newest that both know, a ticket before a
// secret.
func (r *Responder) choose(b *body) error {
	c := &r.config
	if bytes.Equal(b.nonce, c.Nonce[:]) {
		return fmt.Errorf("%w: nonce", ErrReflected)
	}
	if mark := networkMark(c.Network, b.nonce); !bytes.Equal(b.network, mark[:]) {
		return ErrNetwork
	}
	version := min(b.max, uint64(c.Max))
	if b.min == 0 || b.min > b.max || version < max(b.min, uint64(c.Min)) {
		return fmt.Errorf("%w: %d to %d offered", ErrVersion, b.min, b.max)
	}
	r.result = Admitted{Version: uint32(version), Features: b.features & c.Features, Role: Role(b.role)}
	copy(r.result.Revoked[:], b.revoked)
	common := b.methods & c.methods()
	switch {
	case common&methodTicket != 0:
		r.means = means{method: methodTicket, config: c}
		return nil
	case common&methodSecret == 0:
		return fmt.Errorf("%w: %#x offered", ErrMethod, b.methods)
	}
	at := slices.IndexFunc(c.Secrets, func(s Secret) bool { return slices.Contains(b.epochs, s.Epoch) })
	if at < 0 {
		return ErrEpoch
	}
	r.means = means{method: methodSecret, key: c.Secrets[at].Key, config: c}
	r.result.Epoch = c.Secrets[at].Epoch
	return nil
}

// Admit takes the initiator's proof. On success the caller admits the peer first and
// then sends the acknowledgement that it returns.
func (r *Responder) Admit(proof []byte) (ack []byte, a Admitted, err error) {
	if !take(&r.next, stepProof) {
		return nil, Admitted{}, ErrOrder
	}
	m, err := parseMessage(proof, stepProof)
	if err != nil {
		return nil, Admitted{}, err
	}
	r.talk.add(bytes.Clone(m.body))
	r.means.shown(&r.talk, m.ticket)
	if err := r.means.check(&r.talk, labelProof, m.proof); err != nil {
		return nil, Admitted{}, err
	}
	if r.result.Ticket, err = r.means.examine(m.ticket); err != nil {
		return nil, Admitted{}, err
	}
	r.talk.add(nil)
	reply := message{step: stepAck, proof: r.means.prove(&r.talk, labelAck)}
	return reply.encode(), r.result, nil
}
