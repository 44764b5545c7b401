// Package guard keeps registration and hello on a registrar from being guessed
// at and from being flooded. It only counts and answers; what an attempt is,
// and what whoever made it is told, is the caller's matter.
//
//	g := guard.New(guard.Config{}, time.Now())
//	a := guard.Attempt{Addr: addr, Peer: string(id), Admitted: false}
//	if v := g.Allow(now, a); !v.OK() { return v.Err() }   // v.RetryAfter
//	if err := redeem(code); err != nil { g.Failed(now, a) } else { g.Succeeded(now, a) }
//
// # Budgets
//
// A stranger's attempt is paid from three token buckets: that of his address
// (IPv4 /32, IPv6 /64), that of the network round it (/24, /48) and one that
// all strangers share. What is refused takes nothing from any of them. A peer
// that is admitted has a bucket of its own and no other: nothing that
// strangers do, at its address or elsewhere, is counted against it.
//
// # Lock-out
//
// After some failures the next attempt is refused for a second, after each
// further one for twice as long, up to a quarter of an hour. Failures count
// for the address (/32, /64) and for the peer claimed *at that address*, never
// for the peer alone: anybody can claim a peer ID before it is proven, and who
// fails in another's name from elsewhere must not lock him out. For the same
// reason the network round an address has a budget but is not locked: one
// machine of a site would speak for all of it. A success takes back what was
// counted for both, and an hour without a failure does. Who is admitted is
// never locked out.
//
// # Memory
//
// All tables have the size they were made with; nothing is allocated later.
// When a table is full the one that did the least harm is forgotten, which
// gives a stranger a full bucket or a clean slate, honest or not; the bucket
// that all strangers share is not in a table and holds whatever is forgotten.
// Keys are hashed with a random seed, so nobody can aim at another's place.
//
// There is no goroutine and no clock: time is handed in. All methods may be
// called by any goroutine, with times that are slightly out of order.
package guard

import (
	"cmp"
	"net/netip"
	"time"
)

// Config says how much is allowed. Zero fields are defaults.
type Config struct {
	Address   Rate // of strangers at one address: IPv4 /32, IPv6 /64. Default 20 a second, 600 at once
	Network   Rate // of strangers in one network: IPv4 /24, IPv6 /48. Default 50 a second, 1,500 at once
	Strangers Rate // of all strangers together. Default 200 a second, 3,000 at once
	Peer      Rate // of one admitted peer. Default 10 a second, 100 at once
	// Local is for strangers at one loopback address, in place of the three that
	// others have: who is on this machine needs no network to keep it busy. The lock
	// for failures is the same. Default: the loopback is an address like others.
	Local Rate

	PeerFailures    int           // of a claimed peer at one address, which lock it out there. Default 5
	AddressFailures int           // of one address, whoever is claimed. Default 20, for many may be behind it
	FirstLock       time.Duration // for so many failures; each further one doubles it. Default 1 s
	MaxLock         time.Duration // at most. Default 15 min
	Forget          time.Duration // without a failure, after which all are forgotten. Default 1 h; more than MaxLock

	// Entries is for how many addresses, networks, admitted peers and failing
	// ones there is room, each. It is rounded up to a power of two. Default
	// 16,384, which takes about 1.5 MiB in all.
	Entries int
}

// Rate is what a token bucket gains each second, and what it holds.
type Rate struct {
	PerSecond float64
	Burst     int
}

func (c Config) withDefaults() Config {
	c.Address = cmp.Or(c.Address, Rate{20, 600})
	c.Network = cmp.Or(c.Network, Rate{50, 1500})
	c.Strangers = cmp.Or(c.Strangers, Rate{200, 3000})
	c.Peer = cmp.Or(c.Peer, Rate{10, 100})
	c.PeerFailures = cmp.Or(c.PeerFailures, 5)
	c.AddressFailures = cmp.Or(c.AddressFailures, 20)
	c.FirstLock = cmp.Or(c.FirstLock, time.Second)
	c.MaxLock = max(c.FirstLock, cmp.Or(c.MaxLock, 15*time.Minute))
	c.Forget = max(c.MaxLock+time.Second, cmp.Or(c.Forget, time.Hour))
	c.Entries = cmp.Or(c.Entries, 1<<14)
	return c
}

// Guard counts. Make one with [New].
type Guard struct {
	start time.Time
	keys  keys

	addresses buckets
	networks  buckets
	peers     buckets
	strangers shared
	local     bool // locals are counted in
	locals    buckets

	failures failures
	address  punishment
	peer     punishment
}

// New returns a guard that has seen nothing. Later times are counted from
// now, by the monotonic clock if they have it.
func New(cfg Config, now time.Time) *Guard {
	cfg = cfg.withDefaults()
	p := punishment{first: cfg.FirstLock, most: cfg.MaxLock}
	g := &Guard{
		start:     now,
		keys:      newKeys(),
		addresses: newBuckets(cfg.Address, cfg.Entries),
		networks:  newBuckets(cfg.Network, cfg.Entries),
		peers:     newBuckets(cfg.Peer, cfg.Entries),
		strangers: shared{pace: cfg.Strangers.pace()},
		local:     cfg.Local != Rate{},
		locals:    newBuckets(cfg.Local, 64),
		failures:  newFailures(cfg.Forget, cfg.Entries),
		address:   p, peer: p,
	}
	g.address.free, g.peer.free = cfg.AddressFailures, cfg.PeerFailures
	return g
}

// Allow says whether an attempt may go on, and takes it from the budgets if
// so. It does not allocate.
func (g *Guard) Allow(now time.Time, a Attempt) Verdict {
	at := g.at(now)
	k := g.keys.of(a)
	if a.Admitted {
		return busy(g.peers.take(k.peer, at))
	}
	locked := g.failures.locked(k.address, at, g.address.most)
	if a.Peer != "" {
		locked = max(locked, g.failures.locked(k.claim, at, g.peer.most))
	}
	if locked > 0 {
		return Verdict{Locked, locked}
	}
	if g.local && a.Addr.Unmap().IsLoopback() {
		return busy(g.locals.take(k.address, at))
	}
	return busy(g.takeStrangers(k, at))
}

// Refuses says what Allow would say to a stranger at an address, whoever he claims to
// be, if it would refuse, and takes nothing. It is for what costs less to refuse early.
func (g *Guard) Refuses(now time.Time, addr netip.Addr) (v Verdict, refuses bool) {
	at := g.at(now)
	k := g.keys.of(Attempt{Addr: addr})
	if locked := g.failures.locked(k.address, at, g.address.most); locked > 0 {
		return Verdict{Locked, locked}, true
	}
	if g.local && addr.Unmap().IsLoopback() {
		v = busy(g.locals.look(k.address, at))
	} else {
		v = busy(max(g.strangers.look(at), g.networks.look(k.network, at), g.addresses.look(k.address, at)))
	}
	return v, !v.OK()
}

// takeStrangers takes from all three buckets or from none. The shared one
// comes first, so that no flood changes the tables faster than it allows.
func (g *Guard) takeStrangers(k keyset, at int64) time.Duration {
	if wait := g.strangers.take(at); wait > 0 {
		return wait
	}
	if wait := g.networks.take(k.network, at); wait > 0 {
		g.strangers.giveBack()
		return wait
	}
	if wait := g.addresses.take(k.address, at); wait > 0 {
		g.strangers.giveBack()
		g.networks.giveBack(k.network)
		return wait
	}
	return 0
}

// Failed counts a failure of what was allowed: a wrong code, a bad proof. An
// attempt that ended for no fault of who made it is no failure. Those of an
// admitted peer are not counted.
func (g *Guard) Failed(now time.Time, a Attempt) {
	if a.Admitted {
		return
	}
	at := g.at(now)
	k := g.keys.of(a)
	g.failures.add(k.address, at, g.address)
	if a.Peer != "" {
		g.failures.add(k.claim, at, g.peer)
	}
}

// Succeeded forgets the failures of the address, and of the peer there.
func (g *Guard) Succeeded(_ time.Time, a Attempt) {
	if a.Admitted {
		return
	}
	k := g.keys.of(a)
	g.failures.clear(k.address)
	if a.Peer != "" {
		g.failures.clear(k.claim)
	}
}

// at returns the nanoseconds since the start, at least 0.
func (g *Guard) at(now time.Time) int64 { return max(0, int64(now.Sub(g.start))) }
