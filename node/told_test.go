package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
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
