package dht

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/wire"
)

// site is tables on a simulated network in fake time. Each is on a bare host:
// to it everybody is admitted.
type site struct {
	t     testing.TB
	net   *testnet.Net
	dir   string
	nodes []*siteNode // by number; nil where one is stopped
}

type siteNode struct {
	host.Host
	table *Table

	mu    sync.Mutex
	found map[peer.ID]int // by the table's searches
}

// foundOthers is whom the table's searches found.
func (n *siteNode) foundOthers() map[peer.ID]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.found)
}

// onSite runs a test in fake time.
func onSite(t *testing.T, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, net: testnet.New(testnet.Config{}), dir: t.TempDir()}
		defer s.net.Close()
		defer time.Sleep(time.Second) // the hosts' farewells are carried
		defer s.close()
		f(s)
	})
}

func (s *site) close() {
	for i := range s.nodes {
		s.stop(i)
	}
}

// start starts node i, which keeps its directory and key over restarts, and has
// it know the nodes of these numbers.
func (s *site) start(i int, knows ...int) *siteNode {
	s.t.Helper()
	for len(s.nodes) <= i {
		s.nodes = append(s.nodes, nil)
	}
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	key := ed25519.NewKeyFromSeed(seed[:])
	priv, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	h, err := libp2p.New(append(s.net.Options(i), libp2p.Identity(priv), libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.ForceReachabilityPrivate())...)
	if err != nil {
		s.t.Fatal(err)
	}
	reach, err := h.EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
	if err != nil {
		s.t.Fatal(err)
	}
	n := &siteNode{Host: h, found: make(map[peer.ID]int)}
	n.table, err = Open(Config{
		Host: h, Tag: "0123abcd", Network: netID, Sign: func(b []byte) []byte { return ed25519.Sign(key, b) },
		Addrs: h.Addrs, Version: "1.2.3", Dir: s.dirOf(i),
		Serve: func(serves bool) {
			r := network.ReachabilityPrivate
			if serves {
				r = network.ReachabilityPublic
			}
			_ = reach.Emit(event.EvtLocalReachabilityChanged{Reachability: r})
		},
		Found: func(_ [32]byte, p peer.AddrInfo) { n.mu.Lock(); n.found[p.ID]++; n.mu.Unlock() },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.nodes[i] = n
	for _, j := range knows {
		s.connect(i, j)
	}
	return n
}

func (s *site) dirOf(i int) string { return filepath.Join(s.dir, fmt.Sprint(i)) }

func (s *site) connect(i, j int) {
	s.t.Helper()
	to := s.nodes[j]
	if err := s.nodes[i].Connect(context.Background(), peer.AddrInfo{ID: to.ID(), Addrs: []ma.Multiaddr{s.net.Addr(j)}}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) stop(i int) {
	s.t.Helper()
	n := s.nodes[i]
	if n == nil {
		return
	}
	s.nodes[i] = nil
	if err := n.table.Close(); err != nil {
		s.t.Errorf("close table %d: %v", i, err)
	}
	if err := n.Close(); err != nil {
		s.t.Errorf("close host %d: %v", i, err)
	}
}

// serves reports whether others take node i for a server.
func (s *site) serves(i int) (self, known bool) {
	for _, p := range s.nodes[i].Mux().Protocols() {
		self = self || p == "/parley/0123abcd/kad/1.0.0"
	}
	for j, n := range s.nodes {
		if j != i && n != nil {
			known = known || n.table.kad.RoutingTable().Find(s.nodes[i].ID()) != ""
		}
	}
	return self, known
}

// holds reports whether node i itself has j down as a provider of a log.
func (s *site) holds(i, j int, log [32]byte) bool {
	s.t.Helper()
	ps, err := s.nodes[i].table.kad.ProviderStore().GetProviders(context.Background(), roomKey(log).Hash())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range ps {
		if p.ID == s.nodes[j].ID() {
			return true
		}
	}
	return false
}

// lookup asks node i, past its cache, for what node j tells of itself.
func (s *site) lookup(i int, id peer.ID) (*Record, error) {
	s.nodes[i].table.Forget(id)
	return s.nodes[i].table.Lookup(context.Background(), id)
}

// invented are n nodes nobody ever met, whose hashes are lower than id's.
func invented(id peer.ID, n int) (out []peer.ID) {
	me := newRoles(id)
	for i := uint64(0); len(out) < n; i++ {
		other := wire.PeerID(sha256.Sum256(binary.BigEndian.AppendUint64([]byte("invented"), i)))
		if r := newRoles(other); string(r.self[:]) < string(me.self[:]) {
			out = append(out, other)
		}
	}
	return out
}
