package admission

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/hello"
	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/node/internal/gate"
)

const tag = "0badcafe"

var (
	ourNetwork = [32]byte{1}
	ourSecret  = hello.Secret{Epoch: 1, Key: [32]byte{2}}
)

// side is a host with gate and admission.
type side struct {
	host host.Host
	gate *gate.Gate
	door *Service

	mu      sync.Mutex
	results map[string]int
	skew    time.Duration
}

func (s *side) count(result string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.results[result]
}

func (s *side) lastSkew() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.skew
}

func inBubble(t *testing.T, f func(t *testing.T, net *testnet.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := testnet.New(testnet.Config{})
		t.Cleanup(net.Close)
		t.Cleanup(func() { time.Sleep(time.Second) })
		f(t, net)
	})
}

func newHost(t *testing.T, net *testnet.Net, i int) host.Host {
	t.Helper()
	opts := append(net.Options(i), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	h, err := libp2p.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// newSide makes a member of our network on host i; change alters it.
func newSide(t *testing.T, net *testnet.Net, i int, change ...func(*Config)) *side {
	t.Helper()
	s := &side{host: newHost(t, net, i), results: map[string]int{}}
	var err error
	s.gate, err = gate.New(s.host, gate.Options{
		Connected: func(p peer.ID) { s.door.Connected(p) },
		MayDial:   func(p peer.ID) error { return s.door.MayDial(p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.gate.Close() })
	cfg := Config{
		Tag: tag, Network: ourNetwork,
		Secrets: func() []hello.Secret { return []hello.Secret{ourSecret} },
		OnResult: func(_, result string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.results[result]++
		},
		OnAdmitted: func(_ peer.ID, a hello.Admitted) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.skew = a.Skew
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	s.door = New(s.host, s.gate, cfg)
	t.Cleanup(func() { s.door.Close() })
	return s
}

func withSecret(key byte) func(*Config) {
	return func(c *Config) {
		c.Secrets = func() []hello.Secret { return []hello.Secret{{Epoch: 1, Key: [32]byte{key}}} }
	}
}

func connect(t *testing.T, from host.Host, to host.Host) {
	t.Helper()
	if err := from.Connect(t.Context(), peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

func admitted(a, b *side) bool { return a.gate.Admitted(b.host.ID()) && b.gate.Admitted(a.host.ID()) }

func TestMembersAdmitEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, b := newSide(t, net, 0), newSide(t, net, 1)
		connect(t, a.host, b.host)
		time.Sleep(200 * time.Millisecond)
		if !admitted(a, b) {
			t.Fatal("not admitted")
		}
		if a.count("admitted") != 1 || b.count("admitted") != 1 {
			t.Errorf("%v, %v: one handshake is enough when one side dials", a.results, b.results)
		}
		if cm := a.host.ConnManager(); !cm.IsProtected(b.host.ID(), "") {
			t.Error("the connection manager may close an admitted peer for a stranger")
		}
	})
}

// What a peer said is noted before anybody is told that it is in: who asks for it then
// finds it. It is forgotten when the peer is gone by the end of the handshake.
func TestWhatIsProvenIsKnownBeforeTheAdmission(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		var a, b *side
		var wasIn, forgotten atomic.Bool
		hangUp := false
		a = newSide(t, net, 0, func(c *Config) {
			c.OnProven = func(p peer.ID, _ hello.Admitted) func() {
				wasIn.Store(a.gate.Admitted(p))
				if hangUp {
					_ = a.host.Network().ClosePeer(p)
					time.Sleep(time.Second)
				}
				return func() { forgotten.Store(true) }
			}
		})
		b = newSide(t, net, 1)
		connect(t, b.host, a.host)
		time.Sleep(200 * time.Millisecond)
		if !admitted(a, b) || wasIn.Load() || forgotten.Load() {
			t.Errorf("admitted %v, in before %v, forgotten %v", admitted(a, b), wasIn.Load(), forgotten.Load())
		}
		_ = b.host.Network().ClosePeer(a.host.ID())
		time.Sleep(time.Second)
		hangUp = true
		connect(t, b.host, a.host)
		time.Sleep(3 * time.Second)
		if admitted(a, b) || !forgotten.Load() {
			t.Errorf("gone: admitted %v, forgotten %v", admitted(a, b), forgotten.Load())
		}
	})
}

func TestBothDialAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, b := newSide(t, net, 0), newSide(t, net, 1)
		go func() { _ = a.host.Connect(t.Context(), peer.AddrInfo{ID: b.host.ID(), Addrs: b.host.Addrs()}) }()
		connect(t, b.host, a.host)
		time.Sleep(time.Second)
		if !admitted(a, b) {
			t.Fatal("not admitted")
		}
		if n := len(a.host.Network().ConnsToPeer(b.host.ID())); n != 2 {
			t.Skipf("%d connections: they did not dial at once", n)
		}
		_ = a.host.Network().ConnsToPeer(b.host.ID())[0].Close()
		time.Sleep(time.Second)
		if !admitted(a, b) {
			t.Error("the admission ended with the first of two connections")
		}
	})
}

// With the same tag by chance or by intent, only hello tells networks apart.
//
// spec: 02-hello M22
func TestOthersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		other  func(*Config)
		reason string
	}{
		"another network":      {func(c *Config) { c.Network[0]++ }, "network"},
		"a wrong secret":       {withSecret(9), "proof"},
		"an unknown epoch":     {func(c *Config) { c.Secrets = func() []hello.Secret { return []hello.Secret{{Epoch: 7}} } }, "epoch"},
		"another tag":          {func(c *Config) { c.Tag = "deadbeef" }, "unspoken"},
		"an open network's ID": {func(c *Config) { c.Secrets = func() []hello.Secret { return []hello.Secret{hello.Open(ourNetwork)} } }, "epoch"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, net *testnet.Net) {
				a, b := newSide(t, net, 0), newSide(t, net, 1, c.other)
				connect(t, b.host, a.host)
				time.Sleep(5 * time.Second)
				if a.gate.Admitted(b.host.ID()) || b.gate.Admitted(a.host.ID()) {
					t.Fatal("admitted")
				}
				if a.gate.Connected(b.host.ID()) {
					t.Error("still connected")
				}
				// Who finds out first closes, so the other may see half a handshake.
				if a.count(c.reason)+b.count(c.reason) == 0 {
					t.Errorf("counted %v and %v, want %s", a.results, b.results, c.reason)
				}
				if got := a.host.Peerstore().Addrs(b.host.ID()); len(got) > 0 {
					t.Errorf("a refused peer's addresses are kept: %v", got)
				}
				if errA, errB := a.door.MayDial(b.host.ID()), b.door.MayDial(a.host.ID()); errA == nil && errB == nil {
					t.Error("both would dial again at once")
				}
			})
		})
	}
}

// A stock libp2p node that speaks no hello, and one that speaks it but never
// gets on with it, do not stay.
func TestStrangersDoNotStay(t *testing.T) {
	for name, handler := range map[string]network.StreamHandler{
		"without hello": nil,
		"silent":        func(network.Stream) {},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, net *testnet.Net) {
				a, stranger := newSide(t, net, 0), newHost(t, net, 1)
				if handler != nil {
					stranger.SetStreamHandler(ProtocolID(tag), handler)
				}
				connect(t, stranger, a.host)
				time.Sleep(strangerTime + exchangeTime + lastRetry)
				if a.gate.Connected(stranger.ID()) {
					t.Error("still connected")
				}
			})
		})
	}
}

// Who is being registered is not sent away for what hello says of it meanwhile.
func TestWhoIsSparedStays(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, stranger := newSide(t, net, 0), newHost(t, net, 1)
		release := a.door.Spare(stranger.ID())
		a.door.Spare(stranger.ID())()
		connect(t, stranger, a.host)
		time.Sleep(2 * strangerTime)
		if !a.gate.Connected(stranger.ID()) {
			t.Error("sent away")
		}
		release()
		time.Sleep(2 * lastRetry)
		if a.gate.Connected(stranger.ID()) {
			t.Error("still connected")
		}
	})
}

// A registrar gives those who speak nothing of the network's time to register.
func TestARegistrarHasPatienceWithStrangers(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a := newSide(t, net, 0, func(c *Config) { c.Role = func() hello.Role { return hello.RoleRegistrar } })
		stranger := newHost(t, net, 1)
		connect(t, stranger, a.host)
		time.Sleep(strangerTime / 2)
		if !a.gate.Connected(stranger.ID()) {
			t.Error("sent away at once")
		}
		time.Sleep(strangerTime)
		if a.gate.Connected(stranger.ID()) {
			t.Error("still connected")
		}
	})
}

// Who had a wrong secret and mends it is admitted at once when it comes: the
// backoff is for our own dials.
//
// spec: 02-hello M23
func TestAMendedSecretIsAdmittedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		var mu sync.Mutex
		secret := hello.Secret{Epoch: 1, Key: [32]byte{9}}
		a := newSide(t, net, 0)
		b := newSide(t, net, 1, func(c *Config) {
			c.Secrets = func() []hello.Secret {
				mu.Lock()
				defer mu.Unlock()
				return []hello.Secret{secret}
			}
		})
		connect(t, b.host, a.host)
		time.Sleep(3 * time.Second)
		mu.Lock()
		secret = ourSecret
		mu.Unlock()
		connect(t, b.host, a.host)
		time.Sleep(time.Second)
		if !admitted(a, b) {
			t.Fatal("not admitted")
		}
		if err := a.door.MayDial(b.host.ID()); err != nil {
			t.Errorf("MayDial after admission: %v", err)
		}
	})
}

func TestClocksAreCompared(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a := newSide(t, net, 0)
		b := newSide(t, net, 1, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(time.Hour) } })
		connect(t, a.host, b.host)
		time.Sleep(time.Second)
		if d := a.lastSkew() - time.Hour; d.Abs() > time.Second {
			t.Errorf("a sees %v, want about an hour ahead", a.lastSkew())
		}
		if d := b.lastSkew() + time.Hour; d.Abs() > time.Second {
			t.Errorf("b sees %v, want about an hour behind", b.lastSkew())
		}
	})
}

func TestReconnectAdmitsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, b := newSide(t, net, 0), newSide(t, net, 1)
		for i := range 20 {
			connect(t, a.host, b.host)
			if i%2 == 0 { // every other time without a pause
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
			}
			_ = a.host.Network().ClosePeer(b.host.ID())
		}
		connect(t, a.host, b.host)
		time.Sleep(10 * time.Second)
		if !admitted(a, b) {
			t.Error("not admitted after flapping")
		}
	})
}

// Of a peer that goes before it was admitted is told, and of no other.
func TestWhoGoesUnadmittedIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		var gone []peer.ID
		var mu sync.Mutex
		note := func(c *Config) {
			c.OnGone = func(p peer.ID) { mu.Lock(); defer mu.Unlock(); gone = append(gone, p) }
		}
		a, member, other, hasty := newSide(t, net, 0, note), newSide(t, net, 1), newSide(t, net, 2, withSecret(9)), newHost(t, net, 3)
		hasty.SetStreamHandler(ProtocolID(tag), func(network.Stream) {})
		for _, h := range []host.Host{member.host, other.host, hasty} {
			connect(t, a.host, h)
		}
		time.Sleep(time.Second)
		for _, h := range []host.Host{member.host, other.host, hasty} {
			_ = h.Network().ClosePeer(a.host.ID())
		}
		time.Sleep(exchangeTime + lastRetry)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(gone, []peer.ID{hasty.ID()}) {
			t.Errorf("told of %v, want %v alone", gone, hasty.ID())
		}
	})
}

func TestCloseEndsHandshakes(t *testing.T) {
	inBubble(t, func(t *testing.T, net *testnet.Net) {
		a, stranger := newSide(t, net, 0), newHost(t, net, 1)
		stranger.SetStreamHandler(ProtocolID(tag), func(network.Stream) {})
		connect(t, a.host, stranger)
		_, _ = dialHello(t, stranger, a).Write([]byte{64})
		time.Sleep(time.Second)
		begin := time.Now()
		_ = a.door.Close()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}
