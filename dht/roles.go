package dht

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Who serves the table: not all, since every server ends in nearly every
// routing table and is connected to, and not few, since it has to outlive
// them. spec: 09-dht §2
const (
	servers    = 24             // with the lowest hashes among those heard of
	serversOut = 32             // who serves stops at this rank: a newcomer or two change nothing
	heardFor   = 24 * time.Hour // that a node counts
	enough     = 4              // servers known below which a node serves in any case
)

// roles decides whether this node serves. Only ranks matter, so the nodes with
// the lowest hashes are kept and no others. Not safe for concurrent use.
type roles struct {
	self    [32]byte
	lowest  []standing // of others, by hash; at most serversOut
	serving bool
}

type standing struct {
	hash  [32]byte
	heard time.Time
}

func newRoles(self peer.ID) *roles { return &roles{self: sha256.Sum256([]byte(self))} }

// heard notes that a node was heard of.
func (r *roles) heard(id peer.ID, now time.Time) {
	s := standing{sha256.Sum256([]byte(id)), now}
	if s.hash == r.self {
		return
	}
	at, found := slices.BinarySearchFunc(r.lowest, s, func(a, b standing) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	switch {
	case found:
		r.lowest[at].heard = now
	case at < serversOut:
		r.lowest = slices.Insert(r.lowest, at, s)
		r.lowest = r.lowest[:min(len(r.lowest), serversOut)]
	}
}

// serve decides anew. known is how many servers the node can ask: keys cost
// nothing, and whoever invents nodes with low hashes must not leave the table
// without servers.
func (r *roles) serve(now time.Time, known int) bool {
	r.lowest = slices.DeleteFunc(r.lowest, func(s standing) bool { return now.Sub(s.heard) > heardFor })
	rank := 0
	for _, s := range r.lowest {
		if bytes.Compare(s.hash[:], r.self[:]) < 0 {
			rank++
		}
	}
	limit := servers
	if r.serving {
		limit = serversOut
	}
	r.serving = rank < limit || known < enough
	return r.serving
}
