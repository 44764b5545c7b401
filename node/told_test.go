package node

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/testnet"
)

// Whoever invents peers takes no other's place: hearsay is bounded, forgotten
// when it fails for ten minutes, and what was looked up is not hearsay.
func TestHearsayIsBoundedAndForgotten(t *testing.T) {
	runDialer(t, false, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		for i := range 2 * maxTold {
			d.add(somePeer(t, i, "/ip4/10.0.0.1/tcp/1"), fromOthers)
		}
		if s := d.Status(); s.Candidates != maxTold || s.Dropped != maxTold {
			t.Errorf("%d are dialled, %d dropped", s.Candidates, s.Dropped)
		}
		heard, wanted := somePeer(t, 3*maxTold, "/ip4/10.0.0.2/tcp/1"), somePeer(t, 3*maxTold+1, "/ip4/10.0.0.2/tcp/1")
		d.add(heard, fromDiscovery)
		d.add(wanted, fromLookup)
		time.Sleep(time.Minute)
		for _, p := range []peer.AddrInfo{heard, wanted} {
			if len(h.of(p.ID)) == 0 {
				t.Error("a crowd of invented peers keeps others out")
			}
		}
		if !d.failing(wanted.ID) {
			t.Error("it is not said to fail")
		}
		time.Sleep(forgetUnheard + 2*slowBackoff)
		if s := d.Status(); s.Candidates != 1 {
			t.Errorf("%d are dialled after ten minutes in vain", s.Candidates)
		}
		d.add(somePeer(t, 9, "/ip4/10.0.0.1/tcp/1"), fromOthers)
		if s := d.Status(); s.Candidates != 2 {
			t.Errorf("nobody new is taken up")
		}
	})
}

// Of many the configured ones are dialled first, then those of the own zone.
func TestNearPeersAreDialledFirst(t *testing.T) {
	hang := func(_ *dialHost, ctx context.Context, _ peer.AddrInfo) error { <-ctx.Done(); return ctx.Err() }
	runDialer(t, false, hang, func(t *testing.T, h *dialHost, d *dialer) {
		var far, near []peer.ID
		d.mu.Lock() // all are known before the first is dialled
		for i := range 40 {
			p := somePeer(t, i, "/ip4/10.0.0.1/tcp/1")
			c := &candidate{id: p.ID, next: time.Now(), near: i%10 == 0}
			c.addrs[fromMemory] = p.Addrs
			if i == 39 {
				c.addrs[fromConfig] = p.Addrs
			}
			d.peers[p.ID] = c
			if c.near {
				near = append(near, p.ID)
			} else if i < 39 {
				far = append(far, p.ID)
			}
		}
		d.mu.Unlock()
		d.wakeUp()
		time.Sleep(time.Second)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.dials) != maxDials || h.dials[0].info.ID == "" {
			t.Fatalf("%d dials at once", len(h.dials))
		}
		first := 0
		for _, got := range h.dials {
			if !slices.Contains(far, got.info.ID) {
				first++
			}
		}
		if first != len(near)+1 {
			t.Errorf("among the first %d dials are %d of the %d near or configured", maxDials, first, len(near)+1)
		}
	})
}

// One admitted peer that invents peers, again and again, keeps none out that
// another tells of or that the table has, and its own are forgotten.
func TestALyingTellerStarvesNobody(t *testing.T) {
	runDialer(t, false, nobody, func(t *testing.T, h *dialHost, d *dialer) {
		invent := func() {
			for i := range maxTold {
				d.told(somePeer(t, i, "/ip4/10.0.0.1/tcp/1"), "liar")
			}
		}
		met := func(p peer.AddrInfo) bool { return len(h.of(p.ID)) > 0 }
		for range 6 {
			invent()
			time.Sleep(5 * time.Minute)
		}
		invent()
		honest, member := somePeer(t, 1000, "/ip4/10.0.0.2/tcp/1"), somePeer(t, 1001, "/ip4/10.0.0.2/tcp/1")
		d.told(honest, "honest")
		d.add(member, fromTable)
		time.Sleep(time.Minute)
		if !met(honest) || !met(member) {
			t.Errorf("told of by another, it is dialled: %v; found in the table: %v", met(honest), met(member))
		}
		for i := range 2 * maxTold { // he invents ever more
			d.told(somePeer(t, 2000+i, "/ip4/10.0.0.1/tcp/1"), "liar")
		}
		if d.Status().Candidates > 2*maxTold || !d.knows(honest.ID) || !d.knows(member.ID) {
			t.Errorf("%d are dialled, and others' have made room", d.Status().Candidates)
		}
		for i := range 2 * maxTold { // nor does the table take from tellers
			d.add(somePeer(t, 3000+i, "/ip4/10.0.0.1/tcp/1"), fromTable)
		}
		if !d.knows(honest.ID) || d.Status().Candidates > 2*maxTold {
			t.Errorf("%d are dialled, and what was told of has made room", d.Status().Candidates)
		}
	})
}

// Telling of one that fails does not keep it alive; neither does a host that
// answers the dial and never becomes a member.
func TestHearsayThatNeverIsAdmittedIsForgotten(t *testing.T) {
	answers := func(*dialHost, context.Context, peer.AddrInfo) error { return nil }
	refuses := func(h *dialHost, _ context.Context, p peer.AddrInfo) error { return errNobody }
	for name, answer := range map[string]func(*dialHost, context.Context, peer.AddrInfo) error{"answers": answers, "fails": refuses} {
		runDialer(t, false, answer, func(t *testing.T, h *dialHost, d *dialer) {
			kept := somePeer(t, 2, "/ip4/10.0.0.2/tcp/1")
			d.add(kept, fromMemory)
			p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
			d.told(p, "teller")
			for range forgetUnheard/time.Minute + 1 {
				time.Sleep(time.Minute)
				if d.failing(p.ID) {
					d.told(p, "teller")
				}
			}
			time.Sleep(2 * slowBackoff)
			if s := d.Status(); s.Candidates != 1 {
				t.Errorf("%s: %d are dialled after ten minutes in vain", name, s.Candidates)
			}
			if dials := len(h.of(p.ID)); dials == 0 || len(h.of(kept.ID)) == 0 {
				t.Errorf("%s: it was dialled %d times", name, dials)
			}
		})
	}
}

// What others say of a peer that the configuration names, or that was met, ends
// no dial of it and no wait: its address is one more to try.
func TestHearsayDoesNotDisturbABetterSource(t *testing.T) {
	hang := func(_ *dialHost, ctx context.Context, _ peer.AddrInfo) error { <-ctx.Done(); return ctx.Err() }
	for _, from := range []source{fromConfig, fromMemory, fromDiscovery, fromLookup} {
		runDialer(t, false, hang, func(t *testing.T, h *dialHost, d *dialer) {
			p := somePeer(t, 1, "/ip4/10.0.0.1/tcp/1")
			d.add(p, from)
			time.Sleep(time.Second)
			for i := range 60 {
				lie := somePeer(t, 1, fmt.Sprintf("/ip4/10.0.0.2/tcp/%d", i+1))
				d.told(lie, "liar")
				d.add(lie, fromTable)
				time.Sleep(time.Second)
			}
			got := h.of(p.ID)
			if len(got) < 3 || len(got) > 5 || got[1].at < dialTimeout || len(got[1].info.Addrs) < 2 {
				t.Errorf("source %v: dialled %v", from, got)
			}
		})
	}
}

// Members of one's own room are dialled however many others are here.
func TestMembersAreFoundAmongManyOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a := simNode(t, net, 0)
		var others []*Node
		for i := range enoughPeers {
			others = append(others, simNode(t, net, 1+i, peersOf(a)))
		}
		waitAdmitted(t, a, others...)
		time.Sleep(10 * time.Second)
		if a.table.Scarce() {
			t.Fatal("too few servers are known for the test to say anything")
		}
		member := somePeer(t, 1000, "/ip4/10.0.9.9/tcp/1")
		a.told([]peer.AddrInfo{member}, others[0].ID())
		if a.dialer.knows(member.ID) {
			t.Error("with enough peers one is dialled because another tells of it")
		}
		a.found([32]byte{7}, member)
		if !a.dialer.knows(member.ID) {
			t.Error("a member of a room is not dialled because there are enough others")
		}
		a.found([32]byte{7}, somePeer(t, 1001, "/ip4/127.0.0.1/tcp/22", "/unix/tmp/x"))
		if a.dialer.knows(somePeer(t, 1001).ID) {
			t.Error("a port of one's own machine is dialled because the table says so")
		}
	})
}

func (d *dialer) knows(p peer.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peers[p] != nil
}
