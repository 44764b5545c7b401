package testnet

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"
)

const echo = "/testnet/echo/1"

// inBubble runs f with a network of count hosts and closes both in order.
func inBubble(t *testing.T, cfg Config, count int, f func(t *testing.T, n *Net, hosts []host.Host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(cfg)
		hosts := make([]host.Host, count)
		for i := range hosts {
			hosts[i] = newHost(t, n, i)
		}
		defer func() {
			for _, h := range hosts {
				if err := h.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
			time.Sleep(time.Second)
			n.Close()
		}()
		f(t, n, hosts)
	})
}

func newHost(t *testing.T, n *Net, i int) host.Host {
	t.Helper()
	h, err := libp2p.New(n.Options(i)...)
	if err != nil {
		t.Fatal(err)
	}
	h.SetStreamHandler(echo, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	return h
}

// connect dials b from a with a deadline of d in fake time.
func connect(a, b host.Host, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return a.Connect(ctx, peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()})
}

func rtt(t *testing.T, a, b host.Host) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := <-ping.Ping(ctx, a, b.ID())
	if r.Error != nil {
		t.Fatal(r.Error)
	}
	return r.RTT
}

// roundTrip sends size bytes to b and reads them back.
func roundTrip(t *testing.T, a, b host.Host, size int) {
	t.Helper()
	s, err := a.NewStream(context.Background(), b.ID(), echo)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = s.Write(make([]byte, size))
		_ = s.CloseWrite()
	}()
	got, err := io.Copy(io.Discard, s)
	if err != nil || got != int64(size) {
		t.Fatalf("echo of %d bytes: got %d, %v", size, got, err)
	}
}

func TestLatencyIsPerPair(t *testing.T) {
	inBubble(t, Config{Latency: 10 * time.Millisecond}, 3, func(t *testing.T, n *Net, h []host.Host) {
		n.SetLatency(2, 0, 60*time.Millisecond)
		for _, c := range []struct {
			to   int
			want time.Duration
		}{{1, 20 * time.Millisecond}, {2, 120 * time.Millisecond}} {
			if err := connect(h[0], h[c.to], 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if got := rtt(t, h[0], h[c.to]); got < c.want || got > c.want+5*time.Millisecond {
				t.Errorf("round trip to host %d: %v, want about %v", c.to, got, c.want)
			}
		}
	})
}

func TestBandwidthBounds(t *testing.T) {
	inBubble(t, Config{BitsPerSecond: 8_000_000}, 2, func(t *testing.T, _ *Net, h []host.Host) {
		if err := connect(h[0], h[1], 5*time.Second); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		roundTrip(t, h[0], h[1], 1<<20) // 1 MiB at 1 MB/s
		if took := time.Since(begin); took < time.Second || took > 4*time.Second {
			t.Errorf("1 MiB there and back over 8 Mbit/s took %v, want 1 s to 4 s", took)
		}
	})
}

func TestLossIsNearWhatWasAsked(t *testing.T) {
	inBubble(t, Config{Loss: 0.1, Seed: 7}, 2, func(t *testing.T, n *Net, h []host.Host) {
		if err := connect(h[0], h[1], 30*time.Second); err != nil {
			t.Fatal(err)
		}
		roundTrip(t, h[0], h[1], 2<<20)
		s := n.Stats(0)
		if got := float64(s.Lost) / float64(s.Lost+s.Sent); got < 0.07 || got > 0.13 {
			t.Errorf("lost %.3f of %d packets, want about 0.1", got, s.Lost+s.Sent)
		}
		n.SetLoss(0)
		before := n.Stats(0).Lost
		roundTrip(t, h[0], h[1], 1<<16)
		if n.Stats(0).Lost != before {
			t.Error("packets were lost after SetLoss(0)")
		}
	})
}

func TestPartitionAndHeal(t *testing.T) {
	inBubble(t, Config{}, 4, func(t *testing.T, n *Net, h []host.Host) {
		n.Partition([]int{0, 1}) // 2 and 3 form the other side
		for _, c := range []struct {
			a, b  int
			reach bool
		}{{0, 1, true}, {2, 3, true}, {0, 2, false}, {3, 1, false}} {
			if n.Reaches(c.a, c.b) != c.reach {
				t.Errorf("Reaches(%d, %d) is %t", c.a, c.b, !c.reach)
			}
			if err := connect(h[c.a], h[c.b], 4*time.Second); (err == nil) != c.reach {
				t.Errorf("%d to %d: %v, want reachable %t", c.a, c.b, err, c.reach)
			}
		}
		n.Heal()
		time.Sleep(10 * time.Second) // libp2p's dial back-off
		if err := connect(h[0], h[2], 5*time.Second); err != nil {
			t.Errorf("after Heal: %v", err)
		}
	})
}

// A cut host says no farewell: the others find out by silence alone. Afterwards a new host takes
// its place at the same address.
func TestCutAndReturn(t *testing.T) {
	inBubble(t, Config{}, 2, func(t *testing.T, n *Net, h []host.Host) {
		if err := connect(h[0], h[1], 5*time.Second); err != nil {
			t.Fatal(err)
		}
		old := h[1].ID()
		n.Cut(1, true)
		_ = h[1].Close()
		time.Sleep(time.Second)
		if h[0].Network().Connectedness(old) != network.Connected {
			t.Error("host 0 learnt at once that host 1 is gone: its farewell left a cut host")
		}
		time.Sleep(2 * time.Minute)
		if h[0].Network().Connectedness(old) == network.Connected {
			t.Error("host 0 still takes the dead host 1 for connected after two minutes")
		}
		n.Cut(1, false)
		h[1] = newHost(t, n, 1)
		if err := connect(h[0], h[1], 5*time.Second); err != nil {
			t.Errorf("the host that came back: %v", err)
		}
	})
}

func TestManyHosts(t *testing.T) {
	inBubble(t, Config{Loss: 0.02}, 30, func(t *testing.T, _ *Net, h []host.Host) {
		for i := range h {
			if err := connect(h[i], h[(i+1)%len(h)], 10*time.Second); err != nil {
				t.Fatalf("host %d: %v", i, err)
			}
		}
	})
}

func TestAddresses(t *testing.T) {
	for _, i := range []int{0, 1, 249, 250, MaxHosts - 1} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			a := udp(t, (&Net{}).Addr(i))
			if got := hostOf(a); got != i {
				t.Errorf("host %d has address %v, which is taken for host %d", i, a, got)
			}
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("an address beyond the last did not panic")
		}
	}()
	(&Net{}).Addr(MaxHosts)
}

func udp(t *testing.T, m multiaddr.Multiaddr) net.Addr {
	t.Helper()
	ip, err := m.ValueForProtocol(multiaddr.P_IP4)
	if err != nil {
		t.Fatal(err)
	}
	return &net.UDPAddr{IP: net.ParseIP(ip), Port: Port}
}
