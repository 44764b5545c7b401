package chat

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/registry"
	"github.com/parley-chat/parley/node"
)

// openRegistry reads the registry, acts on it and begins to replicate it, in a
// network that has registrars.
func (m *Messenger) openRegistry(ctx context.Context) error {
	m.registry.may.Store(m.writersOf())
	return m.registry.follow(ctx)
}

// registryRetry is after how long what has failed of the registry is done again.
const registryRetry = time.Minute

// keepRegistry follows the network's record and the registry's news until the
// Messenger closes.
func (m *Messenger) keepRegistry() {
	r := m.registry
	err := r.handOn(m.ctx)
	for {
		var again <-chan time.Time
		if err != nil && m.ctx.Err() == nil {
			m.log.Error("the registry is not acted on", "err", err)
			again = time.After(registryRetry)
		}
		select {
		case <-m.node.NetworkNews():
		case <-r.changed:
		case <-again:
		case <-m.ctx.Done():
			return
		}
		if err = r.follow(m.ctx); err == nil {
			err = r.handOn(m.ctx)
		}
	}
}

// follow acts on what those say who may write according to the network's record. What
// fails leaves in force what was before, and is to be done again.
func (r *Registry) follow(ctx context.Context) error {
	r.acting.Lock()
	defer r.acting.Unlock()
	w := r.m.writersOf()
	if len(w.upTo) == 0 {
		return nil
	}
	if before := r.followed; before != nil && maps.Equal(before.upTo, w.upTo) && maps.Equal(before.member, w.member) {
		return r.act(ctx)
	}
	r.may.Store(w)
	if err := r.join(); err != nil {
		return err
	}
	if err := r.read(ctx, w); err != nil {
		return err
	}
	if err := r.act(ctx); err != nil {
		return err
	}
	r.followed = w
	r.replica.Sync("") // what was ignored for its author may count now
	return nil
}

func (r *Registry) join() error {
	r.mu.Lock()
	joined := r.replica != nil
	r.mu.Unlock()
	if joined {
		return nil
	}
	replica, err := r.m.delivery.JoinWhere(r.log, r.admits)
	if err != nil {
		return r.m.stopped(err)
	}
	r.mu.Lock()
	r.replica = replica
	r.mu.Unlock()
	return nil
}

// read makes the view anew of what is stored. Events that are stored meanwhile may
// be taken in twice, which changes nothing.
func (r *Registry) read(ctx context.Context, w *writers) error {
	next := newSaid()
	r.setNext(next)
	defer r.setNext(nil)
	for e, err := range r.m.store.History(ctx, eventlog.Query{Log: r.log}) {
		if err != nil {
			return err
		}
		if w.counts(&e.Event) {
			r.mu.Lock()
			next.apply(&e.Event)
			r.mu.Unlock()
		}
	}
	r.mu.Lock()
	r.said = next
	r.mu.Unlock()
	return nil
}

func (r *Registry) setNext(s *said) {
	r.mu.Lock()
	r.next = s
	r.mu.Unlock()
}

// act lets go of who is revoked, takes what they said later out of the store, and
// uses the network records that came.
//
// spec: 11-registrars §7.4
func (r *Registry) act(ctx context.Context) error {
	var cuts []eventlog.Cut
	w := r.may.Load()
	r.mu.Lock()
	peers, newest := make(map[[32]byte]struct{}), r.view.Newest()
	for key, all := range r.view.AllRevoked() {
		if _, is := w.member[key]; is {
			continue // the root alone takes a registrar out
		}
		peers[key] = struct{}{}
		for i := range all {
			cuts = append(cuts, cutOf(&all[i]))
		}
	}
	records := r.records
	r.records = nil
	r.mu.Unlock()
	r.revoked.Store(&peers)
	r.m.node.SetRevocations(node.Revocations{Peers: peers, Newest: newest})
	for _, signed := range records {
		if err := r.m.node.TakeRecord(signed); err != nil {
			r.m.log.Warn("a network record in the registry is not taken over", "err", err)
		}
	}
	ends, err := r.writersEnds(w)
	if err != nil {
		return err
	}
	n, err := r.m.store.SetCuts(ctx, append(cuts, ends...))
	if n > 0 {
		r.m.log.Info("what revoked nodes said later was taken out", "events", n)
		err = errors.Join(err, r.m.reread(ctx))
	}
	r.m.hub.put(change{kind: roomsChanged})
	return err
}

// reread makes the views of rooms anew: events were taken out.
func (m *Messenger) reread(ctx context.Context) error {
	m.mu.Lock()
	rooms := slices.Collect(maps.Values(m.rooms))
	m.mu.Unlock()
	for _, room := range rooms {
		if err := room.readMembers(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writersEnds are the ends of former registrars' chains. Who is in no set wrote
// nothing that counts.
func (r *Registry) writersEnds(w *writers) (cuts []eventlog.Cut, err error) {
	ends := make(map[event.Author]registry.Place)
	authors, err := r.m.store.Authors(r.log, math.MaxInt)
	if err != nil {
		return nil, err
	}
	for _, a := range authors {
		ends[a] = registry.Place{}
	}
	maps.Copy(ends, w.upTo)
	for a, end := range ends {
		if end.Seq == math.MaxUint64 {
			continue
		}
		cuts = append(cuts, eventlog.Cut{
			Author: a, At: math.MaxUint64,
			Named: map[event.LogID]eventlog.Place{r.log: {Seq: end.Seq, ID: end.ID}},
		})
	}
	return cuts, nil
}

func cutOf(r *registry.Revoked) eventlog.Cut {
	c := eventlog.Cut{Author: r.Peer, At: r.HLC, Named: make(map[event.LogID]eventlog.Place, len(r.Ends))}
	for _, end := range r.Ends {
		c.Named[end.Log] = eventlog.Place{Seq: end.Seq, ID: end.ID}
	}
	return c
}

// handOn writes the network's record into the registry if it is not there: a
// registrar tells all nodes of a change.
func (r *Registry) handOn(ctx context.Context) error {
	record := r.m.node.Record()
	if !r.isMember() || len(record) == 0 {
		return nil
	}
	r.mu.Lock()
	_, told := r.told[sha256.Sum256(record)]
	r.mu.Unlock()
	if told {
		return nil
	}
	rec := registry.Record{Signed: record}
	_, err := r.write(ctx, registry.KindRecord, rec.Encode())
	return err
}

// heardNewest asks a peer that was admitted for the newest revocation it named,
// if that is not here.
func (r *Registry) heardNewest(p peer.ID) {
	newest := event.ID(r.m.node.NewestRevoked(p))
	r.mu.Lock()
	replica, have := r.replica, r.view.Newest()
	r.mu.Unlock()
	if replica == nil || newest == (event.ID{}) || newest == have {
		return
	}
	if has, err := r.m.store.Has(newest); err == nil && !has {
		replica.Told(p, []event.ID{newest})
	}
}
