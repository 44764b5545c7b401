package lan

import (
	"net"
	"net/netip"
	"slices"
)

// family is an IP version, an index.
type family int

const (
	ip4 family = 0
	ip6 family = 1
)

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return ip4
	}
	return ip6
}

// iface is an interface that multicast can reach others on.
type iface struct {
	index    int
	name     string
	prefixes []netip.Prefix // its usable addresses with their networks, sorted
}

func (i iface) equal(o iface) bool {
	return i.index == o.index && i.name == o.name && slices.Equal(i.prefixes, o.prefixes)
}

func (i iface) netIface() *net.Interface { return &net.Interface{Index: i.index, Name: i.name} }

// speaks reports whether the interface has a usable address of the family.
func (i iface) speaks(f family) bool {
	return slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return familyOf(p.Addr()) == f })
}

// onLink reports whether an address lies in one of the interface's networks.
// An IPv6 network is taken as 64 bits wide, since addresses from DHCPv6 come
// without theirs.
func (i iface) onLink(a netip.Addr) bool {
	for _, p := range i.prefixes {
		if p.Addr().Is6() && p.Bits() > 64 {
			p = netip.PrefixFrom(p.Addr(), 64)
		}
		if p.Masked().Contains(a) {
			return true
		}
	}
	return false
}

// listIfaces returns the interfaces that are up with a cable in, can multicast
// and have a usable address; loopback has nobody else on it. One whose cable
// is out counts as gone, so that it is announced on anew when it is put back,
// perhaps into another LAN.
func listIfaces() ([]iface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []iface
	for _, n := range all {
		const need = net.FlagUp | net.FlagRunning | net.FlagMulticast
		if n.Flags&need != need || n.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := n.Addrs()
		if err != nil {
			continue // it vanished in between
		}
		if p := usable(addrs); len(p) > 0 {
			out = append(out, iface{n.Index, n.Name, p})
		}
	}
	return out, nil
}

// usable leaves out loopback and IPv6 link-local addresses; libp2p does not
// dial the latter.
func usable(addrs []net.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		ip = ip.Unmap()
		if !ok || !ip.IsValid() || ip.IsLoopback() || ip.IsMulticast() || ip.IsUnspecified() || ip.Is6() && ip.IsLinkLocalUnicast() {
			continue
		}
		ones, bits := n.Mask.Size()
		if bits == 128 && ip.Is4() {
			ones -= 96
		}
		if p := netip.PrefixFrom(ip, ones); p.IsValid() {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}
