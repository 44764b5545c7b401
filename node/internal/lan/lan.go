// Package lan finds the peers of a network on the local links by multicast DNS
// (RFC 6762, RFC 6763), in the form that libp2p's own mDNS has, under a
// service name that carries the network's tag.
//
//	s := lan.New(logger)
//	err := s.Run(ctx, lan.Self{ID: id, Tag: tag, Listen: h.Network().ListenAddresses}, found)
//
// It looks after itself: interfaces and addresses are looked at each second;
// one that appears, changes or comes back from sleep is joined, announced on
// and asked at once. A machine without any interface is no error. On each
// interface only the addresses that hold there are announced, and of what is
// heard only addresses on that very link are believed: a forged announcement
// cannot make a node dial out of its LAN.
//
// Steady traffic is one announcement a node and minute, so n nodes cost n
// packets a minute: nobody is asked periodically. What comes in passes a
// byte search for the service's name, a budget for each sender and one for
// all before it is parsed.
//
// Run owns its goroutines: one loop, which has all state and sends, and a
// reader for each address family. found is called on the loop and must not
// block. Status may be called at any time.
//
// It does not admit, dial or remember anybody: what it reports are hints that
// anyone on the link can forge.
//
// spec: 01-network §7
package lan

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Tuning.
const (
	pollEvery     = time.Second
	announceEvery = time.Minute // jittered by a quarter
	sleepJump     = 5 * time.Second
	maxOthers     = 16 // tags of other networks kept for Status
	inboxSize     = 64 // parsed messages between a reader and the loop; when full, further ones are dropped and counted
)

// burst are the times after an interface came up at which it is announced on
// and asked: several, since multicast gets lost.
var burst = []time.Duration{0, time.Second, 3 * time.Second, 9 * time.Second}

// Self is the node that is announced.
type Self struct {
	ID     peer.ID
	Tag    string                // of the network, 8 lower-case hex digits
	Listen func() []ma.Multiaddr // addresses listened on, unspecified ones included
}

// Status says what a Service sees.
type Status struct {
	Interfaces    []string // announced on, sorted
	LastError     string   // what hinders it now; empty if nothing
	Heard         uint64   // announcements of other peers of the network
	Refused       uint64   // malformed, without a usable address, or in excess
	OtherNetworks []string // tags of other networks heard here, sorted, at most 16
}

// Service announces a node and hears others. It is run once.
type Service struct {
	log *slog.Logger

	mu     sync.Mutex
	status Status
}

// New returns a service that logs to log, which may be nil.
func New(log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{log: log}
}

// Status returns the present state.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Interfaces = slices.Clone(st.Interfaces)
	st.OtherNetworks = slices.Clone(st.OtherNetworks)
	return st
}

func (s *Service) update(f func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.status)
}

// Run announces self and reports peers until ctx ends; then it says goodbye
// and returns nil. It retries for ever what fails.
func (s *Service) Run(ctx context.Context, self Self, found func(peer.AddrInfo)) error {
	l := &loop{
		svc: s, self: self, found: found,
		names: newNames(self.Tag),
		inbox: make(chan received, inboxSize),
	}
	l.rename()
	l.run(ctx)
	return nil
}

// loop is the state of a running service, owned by one goroutine.
type loop struct {
	svc   *Service
	self  Self
	found func(peer.AddrInfo)
	names names // of the service and this instance
	inbox chan received
	socks [2]*sock      // by family; nil when not open
	links map[int]*link // by interface index; nil before the first poll
	wall  time.Time     // of the last poll, without its monotonic reading
	mono  time.Time     // of the last poll

	sendFails bool // the last packet could not be sent
}

// link is an interface announced on.
type link struct {
	iface
	addrs    []ma.Multiaddr // announced here
	steps    []time.Time    // when the next announcements with questions are due
	announce time.Time      // when the next periodic one is
	answer   time.Time      // when an answer to a question is due; zero if none
	answered time.Time      // when the last announcement went out
}

func (l *loop) run(ctx context.Context) {
	var readers sync.WaitGroup
	defer readers.Wait()
	defer l.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			l.goodbye()
			return
		case m := <-l.inbox:
			l.handle(m)
		case <-timer.C:
			l.tick(time.Now(), &readers)
		}
		timer.Reset(l.untilNext(time.Now()))
	}
}

// tick polls when it is time to and sends what is due.
func (l *loop) tick(now time.Time, readers *sync.WaitGroup) {
	if l.mono.IsZero() || now.Sub(l.mono) >= pollEvery {
		slept := !l.mono.IsZero() && jumped(now.Round(0).Sub(l.wall), now.Sub(l.mono))
		l.mono, l.wall = now, now.Round(0)
		l.openSockets(readers)
		l.poll(now, slept)
	}
	for _, k := range l.links {
		l.sendDue(k, now)
	}
}

// jumped reports whether the wall clock ran ahead of the monotonic one, which
// stands still while a machine sleeps: memberships may be lost and others gone.
func jumped(wall, mono time.Duration) bool { return wall-mono > sleepJump }

// poll compares the interfaces with those announced on. All that changed is
// joined and announced anew under a new instance name: listeners that keep an
// instance for its time to live, as libp2p's do, would not notice new
// addresses of an old name.
func (l *loop) poll(now time.Time, slept bool) {
	ifaces, err := listIfaces()
	if err != nil {
		l.fail("interfaces cannot be listed", err)
		return
	}
	fresh := map[int]*link{}
	changed := slept || l.links == nil || len(ifaces) != len(l.links)
	for _, i := range ifaces {
		k := &link{iface: i, addrs: announced(l.self.Listen(), i)}
		if old := l.links[i.index]; old != nil && !slept && old.sameAs(k) {
			k = old
		} else {
			changed = true
		}
		fresh[i.index] = k
	}
	if !changed {
		return
	}
	l.goodbye()
	l.rename()
	l.links = fresh
	l.rejoin(now)
}

func (k *link) sameAs(o *link) bool {
	return k.iface.equal(o.iface) && slices.EqualFunc(k.addrs, o.addrs, ma.Multiaddr.Equal)
}

// rejoin joins the groups on every link and starts its burst.
func (l *loop) rejoin(now time.Time) {
	var up []string
	var errs []error
	for _, k := range l.links {
		for f, s := range l.socks {
			if s == nil || !k.speaks(family(f)) {
				continue
			}
			if err := s.join(k.netIface()); err != nil {
				errs = append(errs, err)
			}
		}
		k.steps = k.steps[:0]
		for _, after := range burst {
			k.steps = append(k.steps, now.Add(after))
		}
		k.announce = now.Add(jitter(announceEvery))
		k.answer, k.answered = time.Time{}, time.Time{}
		up = append(up, k.name)
	}
	slices.Sort(up)
	l.svc.update(func(st *Status) { st.Interfaces, st.LastError = up, "" })
	l.svc.log.Info("the local network changed", "interfaces", up)
	if len(up) == 0 {
		l.svc.update(func(st *Status) { st.LastError = "no network interface is up" })
	}
	if len(errs) > 0 {
		l.fail("an interface cannot be joined", errs[0])
	}
}

// openSockets opens what is not open, at first and after a reader failed.
func (l *loop) openSockets(readers *sync.WaitGroup) {
	for f := range l.socks {
		if s := l.socks[f]; s != nil && s.alive() {
			continue
		}
		s, err := openSock(family(f))
		if err != nil {
			l.socks[f] = nil
			if family(f) == ip4 { // a machine without IPv6 is not worth a word
				l.fail("port 5353 cannot be opened", err)
			}
			continue
		}
		l.socks[f] = s
		r := reader{svc: l.svc, sock: s, names: l.names, inbox: l.inbox, budget: newBudget(time.Now())}
		readers.Go(r.run)
		l.links = nil // the poll that follows joins everything again
	}
}

func (l *loop) close() {
	for _, s := range l.socks {
		if s != nil {
			s.close()
		}
	}
}

func (l *loop) fail(what string, err error) {
	l.svc.update(func(st *Status) { st.LastError = what + ": " + err.Error() })
	l.svc.log.Debug("mdns: "+what, "err", err)
}

// rename gives this instance a new random name, as the libp2p specification
// asks for.
func (l *loop) rename() {
	var b [20]byte
	_, _ = rand.Read(b[:])
	l.names.instance = strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// hostIPs are the IP addresses of a link that are announced.
func (k *link) hostIPs() []net.IP {
	var ips []net.IP
	for _, p := range k.prefixes {
		ips = append(ips, p.Addr().AsSlice())
	}
	return ips
}
