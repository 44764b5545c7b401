package registrar

import (
	"crypto/sha256"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
)

// maxMembers bounds the tickets that are remembered; whose is forgotten shows it
// again.
const maxMembers = 1 << 15

var errRevoked = errors.New("the peer was revoked")

// member is a ticket that held when it was shown.
type member struct {
	ticket.Ticket
	signed []byte
}

// members remembers tickets, the newest of each peer, so that a heartbeat does not
// have to bring one. All goroutines may use it.
type members struct {
	known *lru.Cache[[32]byte, member]
}

func newMembers() members {
	known, err := lru.New[[32]byte, member](maxMembers)
	if err != nil {
		panic(err) // only for a size below one
	}
	return members{known}
}

// rules are how tickets are judged here.
func (r *Registrar) rules(now time.Time) ticket.Rules {
	return ticket.Rules{Network: r.node.Network().ID, Registrar: r.isRegistrar, Now: now}
}

// memberNow returns what is remembered of a peer, if it still holds: its ticket may
// have ended, who signed it may be a registrar no more, or the peer was revoked.
func (r *Registrar) memberNow(key [32]byte, now time.Time) (member, bool) {
	m, ok := r.members.known.Get(key)
	if ok && (now.Before(m.NotBefore) || !now.Before(m.NotAfter) || !r.isRegistrar(m.Issuer) || r.node.Revoked(wire.PeerID(key))) {
		r.members.known.Remove(key)
		return member{}, false
	}
	return m, ok
}

// showTicket remembers the ticket that a peer shows, or says why it does not hold. One
// that is known is not verified again.
func (r *Registrar) showTicket(key [32]byte, signed []byte, now time.Time) (member, error) {
	if m, ok := r.memberNow(key, now); ok && sha256.Sum256(m.signed) == sha256.Sum256(signed) {
		return m, nil
	}
	t, err := r.rules(now).Verify(signed, key)
	if err != nil {
		return member{}, err
	}
	if r.node.Revoked(wire.PeerID(key)) {
		return member{}, errRevoked
	}
	m := member{t, signed}
	r.members.known.Add(key, m)
	return m, nil
}
