package node

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Tuning of the choice between TCP and QUIC.
const (
	defaultHeadStart = 250 * time.Millisecond  // of what is tried first: a TCP handshake takes 3 ms here
	oneOutage        = 1500 * time.Millisecond // what falls silent within it fell silent together: pings are a second apart
	silentAgain      = 2 * time.Minute         // two silences that are nearer are the link's fault
	quicFirst        = 10 * time.Minute        // after that
	maxLinks         = 1024
)

// links decides over which transport a peer is dialled, and nothing else does:
// a pair has one connection, and all that passes between the two goes over it,
// bulk and chat. On a clean local network that is TCP, which carries up to
// twice what QUIC does. Where packets get lost TCP stalls until its peer seems
// dead, while QUIC goes on: an address whose TCP connections fall silent twice
// in two minutes is dialled over QUIC first for ten. Once is a cable that was
// pulled or a lid that was closed. Beyond the local network QUIC is first.
//
// A living connection is never given up for a better one, so the transports
// cannot take turns; and whatever comes first, the other one is tried a moment
// later, so neither needs to get through.
//
// All methods may be called from anywhere.
type links struct {
	headStart time.Duration

	mu  sync.Mutex
	all map[netip.Addr]link // those whose TCP fell silent lately
}

// link is what the way to an address showed.
type link struct {
	silent time.Time // when TCP last fell silent
	poor   time.Time // until then QUIC is first
}

// died notes that a connection was closed because nothing was heard on it.
func (l *links) died(c network.Conn) {
	if ip, ok := ipOf(c.RemoteMultiaddr()); ok && transportOf(c.RemoteMultiaddr()) == "tcp" {
		l.fellSilent(ip, time.Now())
	}
}

func (l *links) fellSilent(ip netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.all[ip]
	gap := now.Sub(known.silent)
	if gap < oneOutage {
		return
	}
	if gap < silentAgain {
		known.poor = now.Add(quicFirst)
	}
	known.silent = now
	l.makeRoom(now)
	if l.all == nil {
		l.all = make(map[netip.Addr]link)
	}
	l.all[ip] = known
}

// makeRoom forgets what does not count any more when there is too much, and if
// that is not enough any one: its link will show itself again.
func (l *links) makeRoom(now time.Time) {
	if len(l.all) < maxLinks {
		return
	}
	for ip, k := range l.all {
		if now.Sub(k.silent) >= silentAgain && now.After(k.poor) {
			delete(l.all, ip)
		}
	}
	for ip := range l.all {
		if len(l.all) < maxLinks {
			return
		}
		delete(l.all, ip)
	}
}

// rank says when to dial which address of a peer, as libp2p's dial ranker.
func (l *links) rank(addrs []ma.Multiaddr) []network.AddrDelay {
	now := time.Now()
	var turns [3][]ma.Multiaddr
	for _, a := range addrs {
		t := l.turn(a, now)
		turns[t] = append(turns[t], a)
	}
	var out []network.AddrDelay
	var begin time.Duration
	for _, addrs := range turns {
		if len(addrs) == 0 {
			continue
		}
		for _, d := range swarm.DefaultDialRanker(addrs) { // of one transport: IPv6 and IPv4 in turn
			out = append(out, network.AddrDelay{Addr: d.Addr, Delay: begin + d.Delay})
		}
		begin += l.headStart
	}
	return out
}

// turn is 0 for what is dialled first, 1 for what is next, 2 for what is there
// for browsers.
func (l *links) turn(a ma.Multiaddr, now time.Time) int {
	tcpFirst := manet.IsPrivateAddr(a) && !l.poor(a, now) // loopback and link-local are private
	switch transportOf(a) {
	case "tcp":
		if tcpFirst {
			return 0
		}
		return 1
	case "quic":
		if tcpFirst {
			return 1
		}
		return 0
	default:
		return 2
	}
}

func (l *links) poor(a ma.Multiaddr, now time.Time) bool {
	ip, ok := ipOf(a)
	if !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Before(l.all[ip].poor)
}

// ipOf returns the IP address in a, if it begins with one.
func ipOf(a ma.Multiaddr) (netip.Addr, bool) {
	b, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	ip, ok := netip.AddrFromSlice(b)
	return ip.Unmap(), ok
}
