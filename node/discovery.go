package node

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Discovery tells a node which peers may be near. What it tells is a hint
// that anyone can forge: the peer is dialled, within bounds, and admission
// decides.
type Discovery interface {
	// Run announces self and calls found for each peer heard of, again
	// whenever it is heard again, until ctx ends; it returns when nothing of
	// it is left running. found never blocks and takes ownership of its
	// argument. An error ends discovery, not the node.
	Run(ctx context.Context, self DiscoverySelf, found func(peer.AddrInfo)) error
	// Status says what it sees, at any time.
	Status() DiscoveryStatus
}

// DiscoverySelf is what a node tells its Discovery about itself.
type DiscoverySelf struct {
	ID peer.ID
	// Tag separates networks: 8 hex digits.
	Tag string
	// Listen returns the addresses listened on, unspecified ones (0.0.0.0)
	// included. It may be called at any time.
	Listen func() []ma.Multiaddr
}

// DiscoveryStatus tells why peers are found or not.
type DiscoveryStatus struct {
	// Interfaces are those announced on and listened to, sorted.
	Interfaces []string
	// LastError is what last hindered it; empty when nothing does now.
	LastError string
	// Heard counts announcements of peers of this network, one's own left out.
	Heard uint64
	// Refused counts what came malformed, with no usable address, or in excess.
	Refused uint64
	// OtherNetworks are the tags of other Parley networks on this LAN, sorted,
	// at most 16.
	OtherNetworks []string
}
