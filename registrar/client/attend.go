package client

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/fault"
	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/registrar/internal/pulse"
)

// How a node keeps to its registrar. spec: 11-registrars §6.6
const (
	beatTime    = time.Second            // for one registrar to answer; then the next is asked
	goodbyeTime = 500 * time.Millisecond // for the goodbye
	lookEvery   = 10 * time.Second       // whether one that is liked better answers
	avoidFor    = time.Minute            // one that had too many nodes
	retryAfter  = time.Second            // when none answered
	refusedFor  = time.Minute            // before all are asked again that refused: each time is a record of theirs
	idle        = 2 * time.Second        // between looks whether there is anybody to tell
)

// Attend tells one of the network's registrars that the node is there, for as long as
// ctx lasts, and then says goodbye. While the network has none, the node has no ticket, was
// revoked or is a registrar itself, it waits. It returns when nothing of it is left.
//
// spec: 11-registrars §6.6
func (Admitter) Attend(ctx context.Context, n *node.Node) {
	a := &attendant{node: n, lines: make(map[peer.ID]*Client), avoided: make(map[peer.ID]time.Time)}
	defer a.hangUp()
	lost := a.watch(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case p := <-lost:
			if p != a.at {
				continue
			}
			a.drop(p)
			a.at = ""
		case <-ctx.Done():
			a.goodbye(context.WithoutCancel(ctx))
			for range lost { // until it has ended
			}
			return
		}
		timer.Reset(jittered(a.beat(ctx)))
	}
}

// jittered is a time that differs by up to a tenth each time, to the shorter: a registrar
// counts in whole ones.
func jittered(d time.Duration) time.Duration { return d - rand.N(d/10) }

// attendant keeps a node in the directory. It is one goroutine's, but for watch.
type attendant struct {
	node  *node.Node
	pulse *pulse.Pulse // nil until there is somebody to tell

	at       peer.ID // whom the node reports to; empty: nobody
	interval time.Duration
	look     time.Time             // when to look for a better one
	avoided  map[peer.ID]time.Time // until when: they had too many
	lines    map[peer.ID]*Client   // open ones
	trouble  string                // what was logged last of none taking heartbeats
}

// watch tells of peers with which the last connection ended. What it returns is closed
// when ctx has ended.
func (a *attendant) watch(ctx context.Context) <-chan peer.ID {
	gone := make(chan peer.ID)
	go func() { // ends with ctx; Attend waits for it
		defer close(gone)
		for c := range a.node.Watch(ctx) {
			if c.Admitted {
				continue
			}
			select {
			case gone <- c.ID:
			case <-ctx.Done():
				return
			}
		}
		<-ctx.Done()
	}()
	return gone
}

// beat tells a registrar, the next one if that does not answer, and returns how long to
// wait for the next time.
func (a *attendant) beat(ctx context.Context) time.Duration {
	set := a.node.Registrars()
	a.forget(set)
	t, ok := a.node.Ticket()
	if !ok || !a.mayTell(set) {
		return idle
	}
	if a.pulse == nil {
		a.pulse = pulse.Of(a.node)
	}
	var errs []error
	for _, p := range a.candidates(set, time.Now()) {
		res, err := a.tell(ctx, p, t.Signed)
		if ctx.Err() != nil {
			return retryAfter
		}
		if err == nil {
			a.settle(p, res, len(set))
			return a.interval
		}
		a.drop(p)
		errs = append(errs, err)
	}
	return a.nobody(errs)
}

// mayTell reports whether there is anybody to tell, who would listen.
func (a *attendant) mayTell(set []peer.ID) bool {
	self := a.node.ID()
	return len(set) > 0 && !slices.Contains(set, self) && !a.node.Revoked(self)
}

// nobody notes that no registrar took a heartbeat, and returns when to try again.
func (a *attendant) nobody(errs []error) time.Duration {
	a.at = ""
	err := errs[len(errs)-1]
	if said := err.Error(); said != a.trouble {
		a.trouble = said
		a.node.Logger().Warn("no registrar takes this node's heartbeats", "err", err)
	}
	if slices.ContainsFunc(errs, func(err error) bool { return !isRefusal(err) }) {
		return retryAfter
	}
	return refusedFor
}

// isRefusal reports whether a registrar answered that it does not want to hear from this
// node, or not now.
func isRefusal(err error) bool {
	f, ok := fault.As(err)
	return ok && (f.Code == "P6011" || f.Code == "P6061") // of packages registrar and guard, whose servers answered
}

// candidates are the registrars in the order in which they are asked now: the one the
// node reports to first, unless it is time to look for one that it likes better.
func (a *attendant) candidates(set []peer.ID, now time.Time) []peer.ID {
	next := a.sorted(set, now, true)
	if !slices.Contains(set, a.at) {
		return next
	}
	first := []peer.ID{a.at}
	if liked := a.sorted(set, now, false)[0]; liked != a.at && !a.avoids(liked, now) && !now.Before(a.look) {
		a.look = now.Add(jittered(lookEvery))
		first = []peer.ID{liked, a.at}
	}
	return append(first, slices.DeleteFunc(next, func(p peer.ID) bool { return slices.Contains(first, p) })...)
}

// sorted puts those last that had too many nodes; where it has to be quick those before
// them with whom there is no connection; and first those of the own zone. Among equals
// the order is the node's own.
func (a *attendant) sorted(set []peer.ID, now time.Time, quick bool) []peer.ID {
	return ranked(a.node, set, func(p peer.ID) (rank int) {
		if a.avoids(p, now) {
			rank += 2
		}
		if quick && !a.node.Admitted(p) {
			rank++
		}
		return rank
	})
}

// nearest sorts registrars for who wants an answer: those with whom there is a connection
// first, among them those of the own zone.
func nearest(n *node.Node, set []peer.ID) []peer.ID {
	return ranked(n, set, func(p peer.ID) int {
		if n.Admitted(p) {
			return 0
		}
		return 1
	})
}

// ranked sorts registrars by a rank; of one rank those of the own zone come first, among
// equals the order is the node's own.
func ranked(n *node.Node, set []peer.ID, by func(peer.ID) int) []peer.ID {
	rank := make(map[peer.ID]int, len(set))
	for _, p := range set {
		rank[p] = 2 * by(p)
		if !n.Near(p) {
			rank[p]++
		}
	}
	out := order(n.ID(), set)
	slices.SortStableFunc(out, func(x, y peer.ID) int { return rank[x] - rank[y] })
	return out
}

func (a *attendant) avoids(p peer.ID, now time.Time) bool { return now.Before(a.avoided[p]) }

// tell sends one heartbeat, and shows the ticket if that is wanted.
func (a *attendant) tell(ctx context.Context, p peer.ID, ticket []byte) (Beat, error) {
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	defer a.node.Spare(p)()
	c := a.line(p)
	res, err := c.Heartbeat(ctx, a.pulse.Next(a.interval), nil)
	if err == nil && res.TicketWanted {
		res, err = c.Heartbeat(ctx, a.pulse.Next(a.interval), ticket)
	}
	if err == nil && res.TicketWanted {
		err = ErrAnswer
	}
	return res, err
}

// settle notes who answered. One that has too many is left for another with the next
// heartbeat, if there is one that has not.
func (a *attendant) settle(p peer.ID, res Beat, registrars int) {
	now := time.Now()
	a.trouble = ""
	if p != a.at {
		a.node.Logger().Info("the node reports to a registrar", "peer", p)
		a.look = now.Add(jittered(lookEvery))
		for other := range a.lines {
			if other != p {
				a.drop(other)
			}
		}
	}
	a.at, a.interval = p, min(max(res.Interval, heartbeat.MinInterval), heartbeat.MaxInterval)
	if res.Overloaded {
		a.avoided[p] = now.Add(avoidFor + rand.N(avoidFor))
		if len(a.avoided) < registrars {
			a.at = ""
		}
	}
}

// forget drops what is out of date: registrars that are none any more, and avoiding.
func (a *attendant) forget(set []peer.ID) {
	now := time.Now()
	maps.DeleteFunc(a.avoided, func(p peer.ID, until time.Time) bool { return !now.Before(until) || !slices.Contains(set, p) })
	for p := range a.lines {
		if !slices.Contains(set, p) {
			a.drop(p)
		}
	}
}

func (a *attendant) line(p peer.ID) *Client {
	c := a.lines[p]
	if c == nil {
		c = OverStream(a.node.PublicHost(), p, a.node.Network().Tag)
		a.lines[p] = c
	}
	return c
}

func (a *attendant) drop(p peer.ID) {
	if c := a.lines[p]; c != nil {
		c.Close()
		delete(a.lines, p)
	}
}

func (a *attendant) hangUp() {
	for p := range a.lines {
		a.drop(p)
	}
}

// goodbye ends it.
func (a *attendant) goodbye(ctx context.Context) {
	if a.at == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	if _, err := a.line(a.at).Heartbeat(ctx, a.pulse.Goodbye(), nil); err != nil {
		a.node.Logger().Debug("no goodbye to the registrar", "peer", a.at, "err", err)
	}
}
