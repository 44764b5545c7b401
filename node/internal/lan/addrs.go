package lan

import (
	"net/netip"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// maxAddrs bounds the addresses of one announcement, sent or believed: it must
// fit a packet of 1,500 bytes (RFC 6762 §17).
const maxAddrs = 8

// announced returns what to announce on an interface: the listening addresses
// with the interface's own in the place of unspecified ones. They are worked
// out here because libp2p looks at interfaces only every five seconds.
func announced(listen []ma.Multiaddr, i iface) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range listen {
		ip, rest, ok := split(a)
		if !ok || !dialable(rest) {
			continue
		}
		for _, p := range i.prefixes {
			if ip == p.Addr() || ip.IsUnspecified() && familyOf(ip) == familyOf(p.Addr()) {
				out = append(out, join(p.Addr(), rest))
			}
		}
	}
	slices.SortFunc(out, func(a, b ma.Multiaddr) int { return a.Compare(b) })
	out = slices.CompactFunc(out, ma.Multiaddr.Equal)
	return out[:min(len(out), maxAddrs)]
}

// believed reports whether an address heard on an interface may be dialled: it
// must lie on that very link.
func believed(a ma.Multiaddr, i iface) bool {
	ip, rest, ok := split(a)
	return ok && dialable(rest) && !ip.IsLoopback() && !ip.IsUnspecified() && !ip.IsMulticast() && i.onLink(ip)
}

// split takes the leading IP address off.
func split(a ma.Multiaddr) (ip netip.Addr, rest ma.Multiaddr, ok bool) {
	if len(a) < 2 {
		return ip, nil, false
	}
	netIP, err := manet.ToIP(a[:1])
	if err != nil {
		return ip, nil, false
	}
	ip, ok = netip.AddrFromSlice(netIP)
	return ip.Unmap(), a[1:], ok
}

func join(ip netip.Addr, rest ma.Multiaddr) ma.Multiaddr {
	m, err := manet.FromIP(ip.AsSlice())
	if err != nil {
		panic(err) // 4 or 16 bytes
	}
	return m.Encapsulate(rest)
}

// dialable reports whether what follows the IP address is plain TCP or QUIC v1,
// with a port. Browsers' transports are of no use on a LAN, and leaving them
// out keeps the packet small, as libp2p does.
func dialable(rest ma.Multiaddr) bool {
	switch {
	case len(rest) == 1:
		return rest[0].Protocol().Code == ma.P_TCP && rest[0].Value() != "0"
	case len(rest) == 2:
		return rest[0].Protocol().Code == ma.P_UDP && rest[0].Value() != "0" && rest[1].Protocol().Code == ma.P_QUIC_V1
	default:
		return false
	}
}
