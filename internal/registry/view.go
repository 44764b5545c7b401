package registry

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/ticket"
)

// View is what a set of registry events adds up to, whatever the order in which
// they came.
type View struct {
	nodes   map[event.Author]*standing
	byShort map[ticket.Short][]event.Author // whose newest registration has it
	revoked map[event.Author][]Revoked
	newest  place // of the revocations
}

// Revoked is a revocation and the event that has it.
type Revoked struct {
	Revocation
	ID  event.ID
	HLC event.HLC
	By  event.Author
}

type standing struct {
	Registration
	at place
}

// place is where an event stands in its log's order.
type place struct {
	hlc event.HLC
	id  event.ID
}

func (p place) after(q place) bool {
	return cmp.Or(cmp.Compare(p.hlc, q.hlc), p.id.Compare(q.id)) > 0
}

// NewView returns an empty view.
func NewView() *View {
	return &View{
		nodes: make(map[event.Author]*standing), byShort: make(map[ticket.Short][]event.Author),
		revoked: make(map[event.Author][]Revoked),
	}
}

// Apply takes an event in, once or several times. What cannot be read, and kinds
// that are not known, change nothing.
func (v *View) Apply(e *event.Event) {
	if e.Version > event.Version {
		return
	}
	switch e.Kind {
	case KindRegistration:
		if r, err := DecodeRegistration(e.Payload()); err == nil {
			v.register(&r, place{e.HLC, e.ID})
		}
	case KindRevocation:
		if r, err := DecodeRevocation(e.Payload()); err == nil {
			v.revoke(Revoked{r, e.ID, e.HLC, e.Author})
		}
	}
}

func (v *View) register(r *Registration, at place) {
	s := v.nodes[r.Peer]
	if s == nil {
		s = &standing{}
		v.nodes[r.Peer] = s
	} else if !at.after(s.at) {
		return
	}
	others := slices.DeleteFunc(v.byShort[s.Short], func(a event.Author) bool { return a == r.Peer })
	if v.byShort[s.Short] = others; len(others) == 0 {
		delete(v.byShort, s.Short)
	}
	s.Registration, s.at = *r, at
	v.byShort[r.Short] = append(v.byShort[r.Short], r.Peer)
}

func (v *View) revoke(r Revoked) {
	all := v.revoked[r.Peer]
	if slices.ContainsFunc(all, func(o Revoked) bool { return o.ID == r.ID }) {
		return
	}
	v.revoked[r.Peer] = append(all, r)
	if at := (place{r.HLC, r.ID}); at.after(v.newest) {
		v.newest = at
	}
}

// Registration returns the newest registration of a node.
func (v *View) Registration(peer event.Author) (r Registration, found bool) {
	if s := v.nodes[peer]; s != nil {
		return s.Registration, true
	}
	return Registration{}, false
}

// Short returns the short address for a node in a zone: the one it has there,
// or one that no other node has and that is not taken otherwise. Where two registrars gave one address to two
// nodes, the one with the lower key keeps it.
//
// spec: 11-registrars §2.3
func (v *View) Short(peer event.Author, peerID []byte, zone string, taken func(ticket.Short) bool) ticket.Short {
	if s := v.nodes[peer]; s != nil && s.Zone == zone && v.holds(peer, s.Short) && !taken(s.Short) {
		return s.Short
	}
	code := ticket.CodeOf(peerID)
	for !v.holds(peer, ticket.ShortOf(zone, code)) || taken(ticket.ShortOf(zone, code)) {
		code = ticket.CodeOf(append(peerID[:len(peerID):len(peerID)], code[:]...))
	}
	return ticket.ShortOf(zone, code)
}

func (v *View) holds(peer event.Author, s ticket.Short) bool {
	return !slices.ContainsFunc(v.byShort[s], func(o event.Author) bool { return bytes.Compare(o[:], peer[:]) < 0 }) &&
		(len(v.byShort[s]) == 0 || slices.Contains(v.byShort[s], peer))
}

// Revoked returns the revocations of a node, none if it is not revoked.
func (v *View) Revoked(peer event.Author) []Revoked { return v.revoked[peer] }

// AllRevoked returns all revocations by their peers. It is the view's own.
func (v *View) AllRevoked() map[event.Author][]Revoked { return v.revoked }

// Newest returns the revocation that is last in the order of the log, the zero ID
// where there is none.
func (v *View) Newest() event.ID { return v.newest.id }
