// Package directory is what registrars know of the network's nodes: who is there,
// where, and to which registrar each reports. It is made of heartbeats and of their
// absence, and kept in memory alone.
//
//	d := directory.Open(directory.Config{Self: key, Now: n.Now})
//	defer d.Close()
//	d.Heard(h, member, key)            // a verified heartbeat of a member
//	w := d.Watch()
//	nodes, whole, err := w.Next(ctx)   // all nodes, then those that changed
//
// A node is online while its heartbeats come, suspect after two and a half of its
// intervals without one, offline after four. A goodbye makes it offline at once, a
// lost connection suspect. The interval is the node's own word, for its heartbeat
// carries it; what it should be, so that all nodes together send no more than 500 a
// second, [Directory.Interval] says.
//
// Silence is measured by the monotonic clock, and only the time shown to people by
// the wall clock. All methods may be called by any goroutine. Nobody can be too slow
// a reader: readers hold a position in a list that is in the order of change, and
// see the newest of what they missed.
package directory

import (
	"cmp"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/internal/ticket"
)

// Key is a node's raw Ed25519 key.
type Key = [32]byte

// Config says how a directory works. Zero fields are defaults.
type Config struct {
	Self Key              // of the registrar that keeps it
	Now  func() time.Time // the wall clock; default time.Now
	// After so many of its intervals without a heartbeat a node is suspect, and
	// offline. Default 2.5 and 4: with an interval of a second a dead node is offline
	// within 5 s everywhere, and three heartbeats in a row have to be lost or late
	// before one that lives is.
	Suspect, Offline float64
	Forget           time.Duration // after which who is offline goes out. Default a day
	MaxNodes         int           // of which more are not noted. Default 20,000
	// Revoked reports whether a node was taken out of the network for good. It is
	// asked often and must be quick. Nil: nobody was.
	Revoked func(Key) bool
}

const (
	sweepEvery = 250 * time.Millisecond // how exactly silence is noticed
	perSecond  = 500                    // heartbeats of all nodes together
	loadStep   = 10                     // percent by which a load differs before watchers are told
)

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Revoked == nil {
		c.Revoked = func(Key) bool { return false }
	}
	c.Suspect = cmp.Or(c.Suspect, 2.5)
	c.Offline = max(c.Suspect, cmp.Or(c.Offline, 4))
	c.Forget = cmp.Or(c.Forget, 24*time.Hour)
	c.MaxNodes = cmp.Or(c.MaxNodes, 20_000)
	return c
}

// Member is what admits a node.
type Member struct {
	Short     ticket.Short
	Registrar bool   // it is one
	Ticket    []byte // signed
}

// Directory knows nodes until Close. Make one with [Open].
type Directory struct {
	cfg Config

	mu      sync.Mutex
	nodes   map[Key]*entry
	changes journal // of what watchers see
	reports journal // of heartbeats that came
	share   share   // as of the last sweep

	stop chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// entry is one node.
type entry struct {
	key       Key
	member    Member
	newest    heartbeat.Heartbeat
	signed    []byte    // newest, as it came
	heard     time.Time // by the monotonic clock
	seen      time.Time // by the wall clock
	registrar Key
	state     State
	lost      bool  // its connection, since its last heartbeat
	told      uint8 // the load that watchers were told

	changed, reported mark
}

// Open makes an empty directory and begins to watch for silence.
func Open(cfg Config) *Directory {
	d := &Directory{cfg: cfg.withDefaults(), nodes: make(map[Key]*entry), stop: make(chan struct{})}
	d.wg.Go(d.sweeps)
	return d
}

// Close ends it. It may be called more than once.
func (d *Directory) Close() {
	d.once.Do(func() { close(d.stop) })
	d.wg.Wait()
}

// Verdict is what became of a heartbeat.
type Verdict uint8

// The verdicts.
const (
	Noted Verdict = 1
	Stale Verdict = 2 // no newer than what is known of its author
	Full  Verdict = 3 // there is no room for its author
	Gone  Verdict = 4 // its author was revoked
)

// Heard notes a verified heartbeat of a member, which came to the registrar via.
// signed is h as it came.
func (d *Directory) Heard(h *heartbeat.Heartbeat, signed []byte, m Member, via Key) Verdict {
	if d.cfg.Revoked(h.Author) {
		return Gone
	}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.nodes[h.Author]
	if e != nil && h.Seq <= e.newest.Seq {
		return Stale
	}
	before := Node{}
	if e != nil {
		before = e.node()
	} else if e = d.addLocked(h.Author); e == nil {
		return Full
	}
	e.member, e.newest, e.signed, e.registrar = m, *h, signed, via
	e.heard, e.seen, e.lost = now, d.cfg.Now(), false
	e.state = d.judge(e, now)
	d.reports.note(&e.reported, e)
	if e.differs(before) {
		d.changedLocked(e)
	}
	return Noted
}

// addLocked makes room for a node: who has been offline for longest goes.
func (d *Directory) addLocked(key Key) *entry {
	if len(d.nodes) >= d.cfg.MaxNodes {
		var oldest *entry
		for _, e := range d.nodes {
			if e.state >= Offline && (oldest == nil || e.heard.Before(oldest.heard)) {
				oldest = e
			}
		}
		if oldest == nil {
			return nil
		}
		d.forgetLocked(oldest)
	}
	e := &entry{key: key}
	d.nodes[key] = e
	return e
}

func (d *Directory) forgetLocked(e *entry) {
	delete(d.nodes, e.key)
	d.changes.drop(&e.changed)
	d.reports.drop(&e.reported)
}

func (d *Directory) changedLocked(e *entry) {
	e.told = e.newest.Load
	d.changes.note(&e.changed, e)
}

// Lost says that a node's last connection with this registrar ended. Who reports
// here is suspect from now until its next heartbeat, wherever that comes.
func (d *Directory) Lost(key Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.nodes[key]; e != nil && e.registrar == d.cfg.Self {
		e.lost = true
		d.lookLocked(e, time.Now())
	}
}

// judge says how a node is.
func (d *Directory) judge(e *entry, now time.Time) State {
	silent := float64(now.Sub(e.heard)) / float64(e.newest.Interval)
	switch {
	case d.cfg.Revoked(e.key):
		return Revoked
	case e.newest.Goodbye || silent >= d.cfg.Offline:
		return Offline
	case e.lost || silent >= d.cfg.Suspect:
		return Suspect
	default:
		return Online
	}
}

// lookLocked judges a node anew.
func (d *Directory) lookLocked(e *entry, now time.Time) {
	if s := d.judge(e, now); s != e.state {
		e.state = s
		d.changedLocked(e)
	}
}

func (d *Directory) sweeps() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			d.sweep(now)
		case <-d.stop:
			return
		}
	}
}

func (d *Directory) sweep(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := share{}
	for _, e := range d.nodes {
		d.lookLocked(e, now)
		if e.state >= Offline && now.Sub(e.heard) > d.cfg.Forget {
			d.forgetLocked(e)
			continue
		}
		s.count(e, d.cfg.Self)
	}
	d.share = s
}

// Nodes returns all nodes, in the order in which they changed last.
func (d *Directory) Nodes() []Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries, _ := d.changes.since(0, len(d.nodes), nil)
	out := make([]Node, len(entries))
	for i, e := range entries {
		out[i] = e.node()
	}
	return out
}
