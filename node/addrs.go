package node

import (
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// usefulAddrs are the addresses to dial a peer at later, the most useful first,
// at most maxPeerAddrs.
func usefulAddrs(c network.Conn, listen []ma.Multiaddr) []ma.Multiaddr {
	used := c.RemoteMultiaddr()
	listen = dialable(listen, manet.IsIPLoopback(used))
	if c.Stat().Direction == network.DirOutbound {
		listen = append(listen, used)
	}
	return cut(inOrder(listen, used), maxPeerAddrs)
}

// toldAddrs are those of the addresses told of a peer that are dialled, the most
// useful first, at most maxAboutAddrs; those of loopback only if who told them
// is on this machine.
func toldAddrs(told []ma.Multiaddr, loopback bool) []ma.Multiaddr {
	return cut(inOrder(dialable(told, loopback), nil), maxAboutAddrs)
}

// dialable leaves out what no peer can be dialled at. Loopback is of use to
// peers on one machine alone: to others it would name ports of their own.
func dialable(addrs []ma.Multiaddr, loopback bool) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool {
		ip, ok := ipOf(a)
		return !listenable(a) || !ok || ip.IsLoopback() && !loopback ||
			ip.IsUnspecified() || ip.IsMulticast() || ip == broadcast
	})
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// inOrder puts the addresses of a peer in the order of their use, each once, for
// those who take only the first few: the one in use; then one for each IP
// address and transport, TCP and QUIC before those of browsers and the IP
// address in use before the others; then the rest. A machine may have many
// addresses that nobody else reaches, of containers for example: no transport
// of one keeps those of another out. used may be nil.
func inOrder(addrs []ma.Multiaddr, used ma.Multiaddr) []ma.Multiaddr {
	type way struct {
		ip        netip.Addr
		transport string
	}
	here, _ := ipOf(used)
	seen, taken := make(map[string]bool), make(map[way]bool)
	var classes [6][]ma.Multiaddr
	put := func(class int, a ma.Multiaddr) { classes[class] = append(classes[class], a) }
	if i := slices.IndexFunc(addrs, func(a ma.Multiaddr) bool { return a.Equal(used) }); i >= 0 {
		addrs = slices.Concat(addrs[i:i+1], addrs[:i], addrs[i+1:])
	}
	for _, a := range addrs {
		ip, ok := ipOf(a)
		w := way{ip, transportOf(a)}
		again := ok && taken[w]
		if seen[string(a.Bytes())] {
			continue
		}
		seen[string(a.Bytes())], taken[w] = true, true
		direct := w.transport == "tcp" || w.transport == "quic"
		switch {
		case a.Equal(used):
			put(0, a)
		case again:
			put(5, a)
		case direct && ok && ip == here:
			put(1, a)
		case w.transport == "tcp":
			put(2, a)
		case w.transport == "quic":
			put(3, a)
		default:
			put(4, a)
		}
	}
	return slices.Concat(classes[:]...)
}

func cut(addrs []ma.Multiaddr, most int) []ma.Multiaddr {
	return slices.Clip(addrs[:min(len(addrs), most)])
}
