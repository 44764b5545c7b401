package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// dialHost is as much of a host as the dialer needs: it notes each dial and
// does with it what answer says.
type dialHost struct {
	host.Host
	id     peer.ID
	bus    event.Bus
	answer func(ctx context.Context, p peer.AddrInfo) error

	mu       sync.Mutex
	began    time.Time
	dials    []dialed
	active   int
	most     int // dials at once
	admitted map[peer.ID]bool
}

type dialed struct {
	at   time.Duration // since the test began
	info peer.AddrInfo
}

func (h *dialHost) ID() peer.ID              { return h.id }
func (h *dialHost) EventBus() event.Bus      { return h.bus }
func (h *dialHost) Network() network.Network { return nil }

func (h *dialHost) Connect(ctx context.Context, p peer.AddrInfo) error {
	h.mu.Lock()
	h.dials = append(h.dials, dialed{time.Since(h.began), p})
	h.active++
	h.most = max(h.most, h.active)
	h.mu.Unlock()
	err := h.answer(ctx, p)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active--
	return err
}

func (h *dialHost) isAdmitted(p peer.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.admitted[p]
}

func (h *dialHost) admit(p peer.ID, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.admitted[p] = on
}

// of returns the dials of a peer.
func (h *dialHost) of(p peer.ID) []dialed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.dials), func(d dialed) bool { return d.info.ID != p })
}

// runDialer runs a test with a dialer in fake time. The host's ID lies below
// (or, high, above) that of all somePeers.
func runDialer(t *testing.T, high bool, answer func(h *dialHost, ctx context.Context, p peer.AddrInfo) error, test func(t *testing.T, h *dialHost, d *dialer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &dialHost{id: "\x00", bus: eventbus.NewBus(), began: time.Now(), admitted: map[peer.ID]bool{}}
		if high {
			h.id = "\xff"
		}
		h.answer = func(ctx context.Context, p peer.AddrInfo) error { return answer(h, ctx, p) }
		d := newDialer(h, h.isAdmitted, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { d.run(ctx) })
		test(t, h, d)
		cancel()
		wg.Wait()
		if h.active != 0 {
			t.Errorf("%d dials are left under way", h.active)
		}
	})
}

func admitAll(h *dialHost, _ context.Context, p peer.AddrInfo) error {
	h.admit(p.ID, true)
	return nil
}

var errNobody = errors.New("nobody there")

func nobody(*dialHost, context.Context, peer.AddrInfo) error { return errNobody }

func TestDialsUntilAdmittedAndAgainWhenLost(t *testing.T) {
	runDialer(t, false, admitAll, func(t *testing.T, h *dialHost, d *dialer) {
		p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
		d.add(p, fromDiscovery)
		synctest.Wait()
		if got := h.of(p.ID); len(got) != 1 || got[0].at != 0 {
			t.Fatalf("dialled %v", got)
		}
		time.Sleep(time.Hour)
		if got := h.of(p.ID); len(got) != 1 {
			t.Errorf("an admitted peer was dialled %d times", len(got))
		}
		h.admit(p.ID, false)
		d.lost(p.ID)
		time.Sleep(time.Second)
		if got := h.of(p.ID); len(got) != 2 {
			t.Errorf("a lost peer was dialled %d times", len(got)-1)
		}
	})
}

// Of two that hear of each other one dials at once, the other a second later
// if nothing came of it: so that there is one connection, not two.
func TestHigherPeerIDYields(t *testing.T) {
	for _, c := range []struct {
		high bool
		from source
		want time.Duration
	}{
		{false, fromDiscovery, 0},
		{true, fromDiscovery, yieldDelay},
		{true, fromMemory, yieldDelay},
		{true, fromConfig, 0},
	} {
		runDialer(t, c.high, admitAll, func(t *testing.T, h *dialHost, d *dialer) {
			p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
			d.add(p, c.from)
			time.Sleep(2 * yieldDelay)
			if got := h.of(p.ID); len(got) != 1 || got[0].at != c.want {
				t.Errorf("high %v, source %v: dialled %v", c.high, c.from, got)
			}
		})
	}
	runDialer(t, true, admitAll, func(t *testing.T, h *dialHost, d *dialer) {
		p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
		d.add(p, fromDiscovery)
		time.Sleep(yieldDelay / 2)
		h.admit(p.ID, true) // it dialled us
		time.Sleep(time.Minute)
		if got := h.of(p.ID); len(got) != 0 {
			t.Errorf("dialled %v", got)
		}
	})
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	runDialer(t, false, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
		d.add(p, fromConfig)
		time.Sleep(20 * time.Minute)
		got := h.of(p.ID)
		for i := 1; i < len(got); i++ {
			gap, want := got[i].at-got[i-1].at, maxBackoff
			if i < 7 {
				want = min(maxBackoff, minBackoff<<(i-1))
			}
			if gap < want*3/4 || gap > want*5/4 {
				t.Errorf("gap %d is %v, want about %v", i, gap, want)
			}
		}
		if s := d.Status(); len(got) < 18 || s.Failures != uint64(len(got)) || s.LastError != errNobody.Error() {
			t.Errorf("%d dials, status %+v", len(got), s)
		}
	})
}

func TestBackoffBounds(t *testing.T) {
	for fails := range 100 {
		for range 20 {
			if b := backoff(fails, maxBackoff); b < minBackoff*3/4 || b > maxBackoff*5/4 {
				t.Fatalf("after %d failures %v", fails, b)
			}
		}
	}
}

func TestFewDialsAtOnce(t *testing.T) {
	slow := func(h *dialHost, ctx context.Context, p peer.AddrInfo) error {
		time.Sleep(time.Second)
		return admitAll(h, ctx, p)
	}
	runDialer(t, false, slow, func(t *testing.T, h *dialHost, d *dialer) {
		for i := range 100 {
			d.add(somePeer(t, i, "/ip4/10.0.0.1/tcp/1"), fromDiscovery)
		}
		time.Sleep(14 * time.Second)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.dials) != 100 || h.most != maxDials {
			t.Errorf("%d dials, %d at once", len(h.dials), h.most)
		}
	})
}

// A connection is not an admission: without one the peer is dialled again,
// rarely when hello said no.
func TestConnectedIsNotAdmitted(t *testing.T) {
	connect := func(*dialHost, context.Context, peer.AddrInfo) error { return nil }
	runDialer(t, false, connect, func(t *testing.T, h *dialHost, d *dialer) {
		p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
		d.add(p, fromConfig)
		time.Sleep(time.Minute + time.Second)
		if got := h.of(p.ID); len(got) != 5 || got[1].at != admitTimeout {
			t.Errorf("dialled %v", got)
		}
		d.refused(p.ID)
		before := len(h.of(p.ID))
		d.nudge()
		time.Sleep(20 * time.Second)
		if got := h.of(p.ID); len(got) != before {
			t.Errorf("a refused peer was dialled %d times more", len(got)-before)
		}
		time.Sleep(5 * time.Minute)
		if got := h.of(p.ID); len(got) == before {
			t.Error("a refused peer is never dialled again")
		}
	})
}

// A connection that goes before it led to anything is made again as after a
// failure, ever more rarely; that of a peer who was refused is not.
func TestADroppedConnectionIsNotWaitedFor(t *testing.T) {
	connect := func(*dialHost, context.Context, peer.AddrInfo) error { return nil }
	runDialer(t, false, connect, func(t *testing.T, h *dialHost, d *dialer) {
		p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
		d.add(p, fromConfig)
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			d.dropped(p.ID)
		}
		if got := h.of(p.ID); len(got) != 4 || got[1].at > 1500*time.Millisecond || got[3].at < 5*time.Second {
			t.Errorf("dialled %v", got)
		}
		h.admit(p.ID, true)
		d.dropped(p.ID)
		d.dropped("nobody")
		h.admit(p.ID, false)
		d.refused(p.ID)
		before := len(h.of(p.ID))
		time.Sleep(10 * time.Second)
		if got := h.of(p.ID); len(got) != before {
			t.Errorf("a refused peer was dialled %d times more", len(got)-before)
		}
	})
}

// A peer that moved is dialled at its new address at once, even while a dial
// of the old one hangs.
func TestMovedPeerIsDialledAtOnce(t *testing.T) {
	hang := func(h *dialHost, ctx context.Context, p peer.AddrInfo) error {
		if p.Addrs[len(p.Addrs)-1].String() == "/ip4/10.0.0.2/tcp/1" {
			return admitAll(h, ctx, p)
		}
		<-ctx.Done()
		return ctx.Err()
	}
	for _, wait := range []time.Duration{100 * time.Millisecond, 3 * time.Second, dialTimeout + 500*time.Millisecond} {
		runDialer(t, false, hang, func(t *testing.T, h *dialHost, d *dialer) {
			d.add(somePeer(t, 1, "/ip4/10.0.0.1/tcp/1"), fromDiscovery)
			time.Sleep(wait)
			for range 3 { // announcements come several times
				d.add(somePeer(t, 1, "/ip4/10.0.0.2/tcp/1"), fromDiscovery)
				time.Sleep(time.Second)
			}
			if got := h.of(somePeer(t, 1).ID); len(got) != 2 || got[1].at > wait+1200*time.Millisecond || !h.isAdmitted(got[1].info.ID) {
				t.Errorf("moved after %v: dialled %v", wait, got)
			}
		})
	}
}

func TestHearingAPeerEndsALongWait(t *testing.T) {
	runDialer(t, false, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
		d.add(p, fromMemory)
		time.Sleep(30 * time.Minute)
		before := len(h.of(p.ID))
		for len(h.of(p.ID)) == before { // until a try, so that the next is minutes away
			time.Sleep(time.Second)
		}
		before++
		time.Sleep(heardRetry + time.Second)
		d.add(p, fromDiscovery)
		time.Sleep(time.Second)
		d.add(p, fromDiscovery) // hearing it all the time is no reason to dial all the time
		time.Sleep(time.Second)
		if got := h.of(p.ID); len(got) != before+1 {
			t.Errorf("dialled %d times", len(got)-before)
		}
	})
}

func TestNewAddressesOfOnesOwnEndTheWait(t *testing.T) {
	runDialer(t, false, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
		d.add(p, fromConfig)
		time.Sleep(10 * time.Second)
		before := len(h.of(p.ID))
		emitter, err := h.bus.Emitter(new(event.EvtLocalAddressesUpdated))
		if err != nil {
			t.Fatal(err)
		}
		defer emitter.Close()
		if err := emitter.Emit(event.EvtLocalAddressesUpdated{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(minBackoff / 2)
		if got := h.of(p.ID); len(got) != before+1 {
			t.Errorf("dialled %d times", len(got)-before)
		}
	})
}

// A flood of forged announcements neither fills the memory nor pushes out
// whom the user named or the node remembers.
func TestFloodOfCandidates(t *testing.T) {
	runDialer(t, false, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		kept := somePeer(t, 60_000, "/ip4/10.0.0.1/tcp/1")
		d.add(kept, fromMemory)
		for i := range maxCandidates + 500 {
			d.add(somePeer(t, i, "/ip4/10.0.0.1/tcp/1"), fromDiscovery)
		}
		named := somePeer(t, 60_001, "/ip4/10.0.0.1/tcp/1")
		d.add(named, fromConfig)
		if s := d.Status(); s.Candidates != maxCandidates+1 || s.Dropped != 501 {
			t.Errorf("status %+v", s)
		}
		time.Sleep(forgetUnheard + time.Minute)
		late := somePeer(t, 60_002, "/ip4/10.0.0.1/tcp/1")
		d.add(late, fromDiscovery)
		time.Sleep(time.Minute)
		for _, p := range []peer.AddrInfo{kept, named, late} {
			if len(h.of(p.ID)) == 0 {
				t.Errorf("%v was not dialled", p)
			}
		}
		if s := d.Status(); s.Candidates != 3 {
			t.Errorf("the flood is remembered: %+v", s)
		}
	})
}

func TestUselessPeersAreNotTakenUp(t *testing.T) {
	runDialer(t, false, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		d.add(somePeer(t, 1), fromConfig)
		d.add(peer.AddrInfo{ID: h.id, Addrs: somePeer(t, 1, "/ip4/10.0.0.1/tcp/1").Addrs}, fromConfig)
		if s := d.Status(); s.Candidates != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestAddressesOfAllSourcesAreDialled(t *testing.T) {
	runDialer(t, true, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		d.add(somePeer(t, 1, "/ip4/10.0.0.1/tcp/1"), fromMemory)
		d.add(somePeer(t, 1, "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.1/tcp/1"), fromDiscovery)
		time.Sleep(2 * yieldDelay)
		got := h.of(somePeer(t, 1).ID)
		if len(got) == 0 || fmt.Sprint(got[0].info.Addrs) != "[/ip4/10.0.0.1/tcp/1 /ip4/10.0.0.2/tcp/1]" {
			t.Errorf("dialled %v", got)
		}
	})
}
