package chat

import (
	"cmp"
	"crypto/sha256"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/delivery"
	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/registry"
	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
)

// Registry is the log of a network's registrars: whom they registered and
// revoked. Every node of a network that has registrars keeps it and acts on it;
// registrars alone write it. Its methods may be called by any goroutine.
//
// spec: 11-registrars §7
type Registry struct {
	m   *Messenger
	log event.LogID
	may atomic.Pointer[writers]

	revoked atomic.Pointer[map[[32]byte]struct{}] // whose revocation is in force; nil: nobody's
	changed chan struct{}                         // what the view says of revocations is news

	acting   sync.Mutex // held by follow: one at a time
	followed *writers   // according to whom the registry was read, and acted on

	mu       sync.Mutex
	replica  *delivery.Log                 // nil: the network has no registrars yet
	*said                                  // by those who count
	next     *said                         // what is to take its place, while that is read
	reserved map[ticket.Short]event.Author // handed out, and not in the view yet
}

// said is what the events of the registry add up to.
type said struct {
	view    *registry.View
	records [][]byte              // network records in it, not yet looked at
	told    map[[32]byte]struct{} // SHA-256 of all of them
}

func newSaid() *said { return &said{view: registry.NewView(), told: make(map[[32]byte]struct{})} }

// writers are the registrars of the network, and the seq up to which each may
// have written: that of former ones ends.
type writers struct {
	upTo   map[event.Author]registry.Place
	member map[event.Author]struct{} // registrars now
}

// Revocation is why, and by whom, a node was taken out of the network.
type Revocation struct {
	ID     ID // of the event
	Peer   peer.ID
	By     peer.ID
	Reason string
	Time   time.Time
}

func newRegistry(m *Messenger) *Registry {
	return &Registry{
		m: m, log: event.RegistryLog(m.node.Network().ID), changed: make(chan struct{}, 1),
		said: newSaid(), reserved: make(map[ticket.Short]event.Author),
	}
}

// Registry returns the network's registry.
func (m *Messenger) Registry() *Registry { return m.registry }

// RevokedBy lists the revocations that a registrar has written and that count.
func (r *Registry) RevokedBy(p peer.ID) (out []Revocation) {
	key, err := wire.Author(p)
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, all := range r.view.AllRevoked() {
		for i := range all {
			if all[i].By == key {
				out = append(out, revocationOf(&all[i]))
			}
		}
	}
	return out
}

func revocationOf(v *registry.Revoked) Revocation {
	return Revocation{ID: v.ID, Peer: wire.PeerID(v.Peer), By: wire.PeerID(v.By), Reason: v.Reason, Time: v.HLC.Time()}
}

// Revoked returns the first revocation of a node that is in force; found is false where
// there is none.
func (r *Registry) Revoked(p peer.ID) (rev Revocation, found bool) {
	key, err := wire.Author(p)
	if err != nil || !r.m.node.Revoked(p) {
		return Revocation{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.view.Revoked(key)
	if len(all) == 0 {
		return Revocation{}, false
	}
	v := slices.MinFunc(all, func(a, b registry.Revoked) int { return cmp.Compare(a.HLC, b.HLC) })
	return revocationOf(&v), true
}

// End returns the last that a registrar has written, as far as it is here; seq 0:
// nothing.
func (r *Registry) End(p peer.ID) (seq uint64, id ID, err error) {
	key, err := wire.Author(p)
	if err != nil {
		return 0, ID{}, ErrPeer.With(err)
	}
	return r.m.store.Last(r.log, key)
}

// admits reports whether a batch is one that a registrar may have written, with
// all its contents: without them nobody could act on it. It is called by gossip.
func (r *Registry) admits(b *event.Batch) bool {
	end, known := r.may.Load().upTo[b.Author()]
	if !known || b.Events[0].Seq > end.Seq {
		return false
	}
	return !erased(b)
}

func erased(b *event.Batch) bool {
	for i := range b.Events {
		if b.Events[i].Content == nil {
			return true
		}
	}
	return false
}

// counts reports whether an event of the registry is one of a registrar's.
func (w *writers) counts(e *event.Event) bool {
	end, known := w.upTo[e.Author]
	return known && (e.Seq < end.Seq || e.Seq == end.Seq && e.ID == end.ID)
}

// writersOf are those that the network's record names.
func (m *Messenger) writersOf() *writers {
	w := &writers{upTo: make(map[event.Author]registry.Place), member: make(map[event.Author]struct{})}
	for _, f := range m.node.Former() {
		w.upTo[f.Key] = registry.Place{Seq: f.Seq, ID: f.ID}
	}
	for _, p := range m.node.Registrars() {
		if key, err := wire.Author(p); err == nil {
			w.member[key] = struct{}{}
			w.upTo[key] = registry.Place{Seq: math.MaxUint64}
		}
	}
	return w
}

// isRevoked reports whether an author's revocation is in force.
func (r *Registry) isRevoked(a event.Author) bool {
	set := r.revoked.Load()
	if set == nil || len(*set) == 0 {
		return false
	}
	_, is := (*set)[a]
	return is
}

// stored takes in what was stored of the registry. It is called by replication,
// by several goroutines.
func (r *Registry) stored(b *event.Batch, fresh []bool) {
	news := false
	r.mu.Lock()
	w := r.may.Load() // not before: next is read by what holds then
	for i := range b.Events {
		e := &b.Events[i]
		if !fresh[i] || !w.counts(e) {
			continue
		}
		news = r.apply(e) || news
		if r.next != nil {
			r.next.apply(e)
		}
	}
	r.mu.Unlock()
	if news {
		r.tell()
	}
}

// apply takes an event in and reports whether there is something to do about it.
func (s *said) apply(e *event.Event) (news bool) {
	s.view.Apply(e)
	if e.Kind == registry.KindRecord {
		if rec, err := registry.DecodeRecord(e.Payload()); err == nil {
			s.records = append(s.records, rec.Signed)
			s.told[sha256.Sum256(rec.Signed)] = struct{}{}
		}
	}
	return e.Kind != registry.KindRegistration
}

func (r *Registry) tell() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}
