package node

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// share is whose word a candidate is, if it is hearsay: whoever invents peers
// takes room from himself before he takes it from others.
type share struct {
	from   source
	teller peer.ID // of fromOthers
}

// told tells of a peer by the word of another.
func (d *dialer) told(info peer.AddrInfo, teller peer.ID) {
	d.hear(info, share{fromOthers, teller})
}

// hearsay reports whether a source is the words of others. They may be
// invented: of what a better source vouches for they change nothing, and they
// do not keep alive what fails.
func (s source) hearsay() bool { return s == fromOthers || s == fromTable }

// vouched reports whether anything but hearsay speaks for a peer.
func (c *candidate) vouched() bool {
	return c.lasting() || c.addrs[fromLookup] != nil
}

// lasting reports whether a peer is dialled for longer than ten minutes in vain.
func (c *candidate) lasting() bool {
	return c.addrs[fromConfig] != nil || c.addrs[fromMemory] != nil || c.addrs[fromDiscovery] != nil
}

// stale reports whether a peer is to be forgotten: it was tried, was not
// admitted, and nobody has heard of it for long.
func (c *candidate) stale(now time.Time) bool {
	return !c.lasting() && c.fails > 0 && now.Sub(c.heard) > forgetUnheard
}

// makeRoomLocked reports whether there is room for one more of a share. When
// its source has told of too many, one of the largest share goes: the one that
// has failed longest, or one not tried yet if another share is to grow.
func (d *dialer) makeRoomLocked(s share) bool {
	sizes, all, largest := make(map[share]int), 0, s
	for _, c := range d.peers {
		if c.share.from == s.from && !c.vouched() {
			all++
			sizes[c.share]++
		}
	}
	if all < maxTold {
		return true
	}
	for other, n := range sizes {
		if n > sizes[largest] {
			largest = other
		}
	}
	var victim *candidate
	for _, c := range d.peers {
		if c.share != largest || c.vouched() || c.dialing != nil || d.admitted(c.id) || c.fails == 0 && largest == s {
			continue
		}
		if victim == nil || c.worse(victim) {
			victim = c
		}
	}
	if victim == nil {
		return false
	}
	delete(d.peers, victim.id)
	d.status.Dropped++
	return true
}

// worse reports whether c is to go before other.
func (c *candidate) worse(other *candidate) bool {
	if (c.fails > 0) != (other.fails > 0) {
		return c.fails > 0
	}
	return c.heard.Before(other.heard)
}
