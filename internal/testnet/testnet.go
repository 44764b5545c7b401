// Package testnet joins libp2p hosts by a simulated network inside one process: packets have a
// latency, links a bandwidth, and a test loses them, cuts hosts off or splits the network whenever
// it likes. The hosts are real ones (QUIC, TLS, identify); only the UDP socket beneath is replaced.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := testnet.New(testnet.Config{Loss: 0.02})
//		defer n.Close()                                   // after the hosts, see Close
//		h, err := libp2p.New(n.Options(0)...)             // host 0, listening on n.Addr(0)
//		…
//	})
//
// It is made for testing/synctest: New, the hosts and Close belong in one bubble, and time costs
// nothing there. Loss is drawn from a seeded generator per sender; the order in which goroutines
// run is not fixed, so two runs with one seed are alike, not equal: assert on bounds.
//
// All methods may be called from any goroutine. There is no TCP, WebSocket, multicast or IPv6 here.
package testnet

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/marcopolo/simnet"
)

const (
	defaultLatency   = 5 * time.Millisecond
	defaultBandwidth = 100 * simnet.Mibps
	defaultSeed      = 1

	// mtu is what a link carries, as Ethernet does. Larger packets are dropped here, for a simnet
	// link that is handed one waits for ever.
	mtu = 1500
)

// Config describes the network. Zero fields are defaults.
type Config struct {
	Latency       time.Duration // one way, between any two hosts; 5 ms
	BitsPerSecond int           // of each host's link, either way; 100 Mbit/s
	Loss          float64       // probability that a packet is lost, 0…1
	Seed          uint64        // of the loss; 1
}

// Stats counts what a host's sends met.
type Stats struct {
	Sent    uint64 // packets put on the network
	Bytes   uint64 // of their payloads
	Lost    uint64 // packets lost by chance
	Refused uint64 // packets that a cut, a partition or the MTU stopped
}

// Net is a running simulated network.
type Net struct {
	sim  *simnet.Simnet
	link simnet.NodeBiDiLinkSettings

	mu      sync.Mutex
	latency time.Duration
	pairs   map[pair]time.Duration
	loss    float64
	group   map[int]int // which side of the partition; hosts not named are on side 0
	cut     map[int]bool
	dice    map[int]*rand.Rand
	stats   map[int]*Stats
	seed    uint64
}

// pair names two hosts, the lower first: latency is the same both ways.
type pair struct{ a, b int }

func pairOf(a, b int) pair { return pair{min(a, b), max(a, b)} }

// New starts a network without hosts.
func New(cfg Config) *Net {
	rate := simnet.LinkSettings{BitsPerSecond: orDefault(cfg.BitsPerSecond, defaultBandwidth), MTU: mtu}
	n := &Net{
		link:    simnet.NodeBiDiLinkSettings{Uplink: rate, Downlink: rate},
		latency: orDefault(cfg.Latency, defaultLatency),
		pairs:   make(map[pair]time.Duration),
		loss:    cfg.Loss,
		cut:     make(map[int]bool),
		dice:    make(map[int]*rand.Rand),
		stats:   make(map[int]*Stats),
		seed:    orDefault(cfg.Seed, defaultSeed),
	}
	n.sim = &simnet.Simnet{LatencyFunc: n.packetLatency, Logger: slog.New(slog.DiscardHandler)}
	n.sim.Start()
	return n
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Close ends the network. Close the hosts first and let a second pass, so that their farewells are
// carried; what is sent afterwards goes nowhere.
func (n *Net) Close() { n.sim.Close() }

// SetLoss changes the probability that a packet is lost, 0…1.
func (n *Net) SetLoss(p float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = p
}

// SetLatency sets the one-way latency between hosts a and b. Packets already under way keep theirs,
// so a lower latency lets later packets overtake earlier ones.
func (n *Net) SetLatency(a, b int, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pairs[pairOf(a, b)] = d
}

// Partition splits the network: hosts reach only those of their own group. Hosts that no group
// names form one together. It replaces an earlier partition; packets under way still arrive.
func (n *Net) Partition(groups ...[]int) {
	side := make(map[int]int)
	for i, g := range groups {
		for _, h := range g {
			side[h] = i + 1
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.group = side
}

// Heal ends the partition. Hosts cut off by Cut stay so.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.group = nil
}

// Cut pulls host i's cable (on) or plugs it in again: nothing it sends leaves, nothing reaches it.
func (n *Net) Cut(i int, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[i] = on
}

// Reaches tells whether packets from host a get to host b now, loss aside.
func (n *Net) Reaches(a, b int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reachesLocked(a, b)
}

func (n *Net) reachesLocked(a, b int) bool {
	return !n.cut[a] && !n.cut[b] && n.group[a] == n.group[b]
}

// Stats returns what host i's sends met so far, over all its restarts.
func (n *Net) Stats(i int) Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return *n.statsLocked(i)
}

func (n *Net) statsLocked(i int) *Stats {
	s := n.stats[i]
	if s == nil {
		s = new(Stats)
		n.stats[i] = s
	}
	return s
}

// carries decides whether a packet of size bytes from host a reaches host b, and counts it.
func (n *Net) carries(a, b, size int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.statsLocked(a)
	switch {
	case size > mtu, !n.reachesLocked(a, b):
		s.Refused++
		return false
	case n.loss > 0 && n.diceLocked(a).Float64() < n.loss:
		s.Lost++
		return false
	}
	s.Sent++
	s.Bytes += uint64(size)
	return true
}

func (n *Net) diceLocked(i int) *rand.Rand {
	d := n.dice[i]
	if d == nil {
		d = rand.New(rand.NewPCG(n.seed, uint64(i)))
		n.dice[i] = d
	}
	return d
}

func (n *Net) packetLatency(p *simnet.Packet) time.Duration {
	a, b := hostOf(p.From), hostOf(p.To)
	n.mu.Lock()
	defer n.mu.Unlock()
	if d, ok := n.pairs[pairOf(a, b)]; ok {
		return d
	}
	return n.latency
}

// listen opens host i's simulated socket.
func (n *Net) listen(i int) net.PacketConn {
	n.mu.Lock() // simnet's list of links has no lock of its own
	defer n.mu.Unlock()
	return &socket{SimConn: n.sim.NewEndpoint(udpAddr(i), n.link), net: n, host: i}
}

// socket is a simulated UDP socket that asks the network about each packet it sends.
type socket struct {
	*simnet.SimConn
	net  *Net
	host int
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	dest := hostOf(to)
	if dest == unknownHost || !s.net.carries(s.host, dest, len(b)) {
		return len(b), nil
	}
	return s.SimConn.WriteTo(b, udpAddr(dest)) // in the form listen knows: simnet compares bytes
}
