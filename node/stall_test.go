package node

import (
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// stallingLink passes TCP connections on to an address, until it stalls: then
// what runs gets no byte through any more, while new ones still do.
type stallingLink struct {
	net.Listener
	to string
	wg sync.WaitGroup

	mu    sync.Mutex
	stall *atomic.Bool // of the connections made since the last stall
	conns []net.Conn
}

func startStallingLink(t *testing.T, to string) *stallingLink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stallingLink{Listener: l, to: to, stall: new(atomic.Bool)}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *stallingLink) accept() {
	for {
		near, err := s.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", s.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		s.mu.Lock()
		s.conns = append(s.conns, near, far)
		stall := s.stall
		s.mu.Unlock()
		s.wg.Go(func() { pass(near, far, stall) })
		s.wg.Go(func() { pass(far, near, stall) })
	}
}

// pass copies until an end closes, and loses everything from a stall on.
func pass(to io.WriteCloser, from io.Reader, stall *atomic.Bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			if !stall.Load() {
				_ = to.Close()
			}
			return
		}
		if !stall.Load() {
			_, _ = to.Write(buf[:n]) // its reader notices
		}
	}
}

func (s *stallingLink) stallNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stall.Store(true)
	s.stall = new(atomic.Bool)
}

// A TCP connection that stalls is replaced by another; when that stalls too,
// the pair goes on over QUIC.
func TestTCPThatStallsTwiceGivesWayToQUIC(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	port, err := freePort(net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	link := startStallingLink(t, "127.0.0.1:"+strconv.Itoa(port))
	announced := ma.StringCast("/ip4/127.0.0.1/tcp/" + portOf(link.Addr()))
	server := startNode(t, func(c *Config) {
		c.Listen = []ma.Multiaddr{loopback()[0], ma.StringCast("/ip4/127.0.0.1/tcp/" + strconv.Itoa(port))}
		c.Libp2p = []libp2p.Option{libp2p.AddrsFactory(func(addrs []ma.Multiaddr) []ma.Multiaddr {
			return append(slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return transportOf(a) == "tcp" }), announced)
		})}
	})
	n := startNode(t, func(c *Config) { // it does not listen, so the link is the only way over TCP
		c.Listen, c.headStart, c.Peers = []ma.Multiaddr{}, patience, []peer.AddrInfo{infoOf(server)}
	})
	var over []string
	for c := range n.Watch(testContext(t)) {
		if !c.Admitted {
			continue
		}
		over = append(over, n.Peers()[0].Transport)
		if len(over) == 3 {
			break
		}
		link.stallNow()
	}
	if len(over) != 3 || over[0] != "tcp" || over[1] != "tcp" || over[2] != "quic" {
		t.Errorf("admitted over %v", over)
	}
}
