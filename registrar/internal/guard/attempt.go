package guard

import (
	"hash/maphash"
	"net/netip"
)

// Attempt is who tries to get in.
type Attempt struct {
	Addr netip.Addr // where the connection comes from; the zero Addr if unknown, as through a relay: all such are one address
	Peer string     // the peer ID claimed, in binary; empty if none was yet
	// Admitted: Peer is proven by the connection, and is a member already.
	// Never set it on a mere claim.
	Admitted bool
}

// keys hashes what is counted.
type keys struct{ seed maphash.Seed }

func newKeys() keys { return keys{maphash.MakeSeed()} }

// keyset are the hashes of one attempt.
type keyset struct{ address, network, claim, peer uint64 }

// The first byte hashed says what is counted, so that an address is never
// taken for a network or a peer.
const (
	keyAddress = iota + 1
	keyNetwork
	keyClaim
	keyPeer
)

// spot is what is hashed of an address.
type spot struct {
	kind  byte
	four  bool // IPv4: else 1.2.3.0 and 102:300:: were the same
	bytes [16]byte
}

func (k keys) of(a Attempt) keyset {
	if a.Admitted {
		return keyset{peer: k.with(spot{kind: keyPeer}, a.Peer)}
	}
	near, far := prefixes(a.Addr)
	set := keyset{address: k.with(near, ""), network: k.with(far, "")}
	if a.Peer != "" {
		near.kind = keyClaim
		set.claim = k.with(near, a.Peer)
	}
	return set
}

func (k keys) with(s spot, peer string) uint64 {
	h := maphash.Comparable(k.seed, s)
	if peer != "" {
		// Both halves are hashes under the secret seed; the odd factor keeps
		// their sum from being symmetric.
		h = h*0x9e3779b97f4a7c15 + maphash.String(k.seed, peer)
	}
	return h
}

// prefixes returns the /32 and /24 of an IPv4 address, the /64 and /48 of an
// IPv6 one. IPv4 addresses in IPv6 form are IPv4; zones do not count.
func prefixes(addr netip.Addr) (address, network spot) {
	addr = addr.Unmap()
	address.kind, network.kind = keyAddress, keyNetwork
	switch {
	case addr.Is4():
		b := addr.As4()
		address.four, network.four = true, true
		copy(address.bytes[:], b[:])
		copy(network.bytes[:], b[:3])
	case addr.Is6():
		b := addr.As16()
		copy(address.bytes[:], b[:8])
		copy(network.bytes[:], b[:6])
	}
	return address, network
}
