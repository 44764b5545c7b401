package node

import (
	"errors"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/fault"
)

func TestATakenPortIsLeftForAFreeOne(t *testing.T) {
	for _, kind := range []string{"udp", "tcp", "another node"} {
		t.Run(kind, func(t *testing.T) {
			n := startNode(t, func(c *Config) { c.Listen = []ma.Multiaddr{} })
			port := take(t, kind)
			if err := listenSomewhere(testContext(t), n.host, net.IPv4(127, 0, 0, 1), nil, port); err != nil {
				t.Fatal(err)
			}
			ports := map[string]bool{}
			for _, a := range n.Addrs() {
				p, err := a.ValueForProtocol(ma.P_UDP)
				if err != nil {
					p, err = a.ValueForProtocol(ma.P_TCP)
				}
				if err != nil {
					t.Fatal(err)
				}
				ports[p] = true
			}
			if len(n.Addrs()) != 5 || len(ports) != 1 || ports[strconv.Itoa(port)] {
				t.Errorf("listens on %v, want five transports on one port that is not %d", n.Addrs(), port)
			}
		})
	}
}

// take occupies a port of this machine.
func take(t *testing.T, kind string) int {
	t.Helper()
	switch kind {
	case "udp":
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.LocalAddr().(*net.UDPAddr).Port
	case "tcp":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().(*net.TCPAddr).Port
	default:
		return tcpPort(t, startNode(t))
	}
}

func tcpPort(t *testing.T, n *Node) int {
	t.Helper()
	for _, a := range n.Addrs() {
		if p, err := a.ValueForProtocol(ma.P_TCP); err == nil {
			port, err := strconv.Atoi(p)
			if err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no TCP port")
	return 0
}

func TestAnAddressThatCannotBeListenedOnIsTheUsersToMend(t *testing.T) {
	taken := tcpPort(t, startNode(t))
	for name, addr := range map[string]string{
		"not ours":     "/ip4/192.0.2.77/tcp/7330",
		"taken":        "/ip4/127.0.0.1/tcp/" + strconv.Itoa(taken),
		"no transport": "/ip4/127.0.0.1/udp/7330/utp",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n, err := Start(testContext(t), Config{Dir: dir, Listen: []ma.Multiaddr{ma.StringCast(addr)}, NoMDNS: true})
			if !errors.Is(err, ErrListen) || n != nil {
				t.Fatalf("got %v, %v, want ErrListen", n, err)
			}
			f, ok := fault.As(err)
			if !ok || !strings.Contains(err.Error(), addr) || f.Code != "P2040" {
				t.Errorf("the error does not help: %v", err)
			}
			again, err := Start(testContext(t), Config{Dir: dir, Listen: loopback(), NoMDNS: true})
			if err != nil {
				t.Fatalf("the failed start left something behind: %v", err)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// ours finds goroutines of this module and of libp2p, except the tests'.
func ours() string {
	buf := make([]byte, 1<<20)
	var out []string
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "testing.tRunner") {
			continue
		}
		if strings.Contains(g, "parley-chat/parley/") || strings.Contains(g, "/go-libp2p") || strings.Contains(g, "quic-go") {
			out = append(out, g)
		}
	}
	return strings.Join(out, "\n\n")
}

// checkNothingRuns fails the test if goroutines outlive their nodes. pubsub
// tells nobody when its own end, so they get a moment.
func checkNothingRuns(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		left := ours()
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still running:\n%s", left)
		}
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	a := startNode(t)
	b := startNode(t, peersOf(a))
	waitAdmitted(t, a, b)
	gossips(t, a, b, "x")
	for range 2 {
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Fatal(err)
		}
	}
	<-a.Done()
	if err := a.Ready(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Ready after Close: %v", err)
	}
	checkNothingRuns(t)
}

func TestAFailedStartLeavesNothingRunning(t *testing.T) {
	_, err := Start(testContext(t), Config{Dir: t.TempDir(), Listen: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.77/tcp/1")}, NoMDNS: true})
	if err == nil {
		t.Fatal("started")
	}
	checkNothingRuns(t)
}
