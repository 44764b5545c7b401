package lan

import (
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const mdnsPort = 5353

var groups = [2]*net.UDPAddr{
	{IP: net.IPv4(224, 0, 0, 251), Port: mdnsPort},
	{IP: net.ParseIP("ff02::fb"), Port: mdnsPort},
}

// sock is the multicast socket of one address family, for all interfaces.
type sock struct {
	family family
	conn   *net.UDPConn
	v4     *ipv4.PacketConn // of conn, in its family
	v6     *ipv6.PacketConn
	failed atomic.Bool
}

// openSock opens port 5353, which other mDNS programs share. To listen on a
// group address means to Go: on all addresses, and let others do so too.
func openSock(f family) (*sock, error) {
	network := [2]string{"udp4", "udp6"}[f]
	conn, err := net.ListenUDP(network, groups[f])
	if err != nil {
		return nil, err
	}
	s := &sock{family: f, conn: conn}
	if f == ip4 {
		s.v4 = ipv4.NewPacketConn(conn)
		_ = s.v4.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true)
		_ = s.v4.SetMulticastTTL(255) // RFC 6762 §11
		_ = s.v4.SetMulticastLoopback(true)
		return s, nil
	}
	s.v6 = ipv6.NewPacketConn(conn)
	_ = s.v6.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true)
	_ = s.v6.SetMulticastHopLimit(255)
	_ = s.v6.SetMulticastLoopback(true)
	return s, nil
}

func (s *sock) alive() bool { return !s.failed.Load() }

func (s *sock) close() { _ = s.conn.Close() }

// join joins the group on an interface. It leaves first: a membership may be
// one that sleep or a new address has made deaf.
func (s *sock) join(i *net.Interface) error {
	if s.family == ip4 {
		_ = s.v4.LeaveGroup(i, groups[ip4])
		return s.v4.JoinGroup(i, groups[ip4])
	}
	_ = s.v6.LeaveGroup(i, groups[ip6])
	return s.v6.JoinGroup(i, groups[ip6])
}

// send multicasts on an interface. Where a packet cannot name its interface
// the socket is told; only the loop sends, so nobody is in between.
func (s *sock) send(packet []byte, i *net.Interface) error {
	if s.family == ip4 {
		if packetNames {
			_, err := s.v4.WriteTo(packet, &ipv4.ControlMessage{IfIndex: i.Index}, groups[ip4])
			return err
		}
		if err := s.v4.SetMulticastInterface(i); err != nil {
			return err
		}
		_, err := s.v4.WriteTo(packet, nil, groups[ip4])
		return err
	}
	if packetNames {
		_, err := s.v6.WriteTo(packet, &ipv6.ControlMessage{IfIndex: i.Index}, groups[ip6])
		return err
	}
	if err := s.v6.SetMulticastInterface(i); err != nil {
		return err
	}
	_, err := s.v6.WriteTo(packet, nil, groups[ip6])
	return err
}

// origin says where a packet came from.
type origin struct {
	index int        // of the interface; 0 if the system does not tell
	from  netip.Addr // the sender, without zone
}

// read reads one packet that was sent to the group from port 5353; others are
// skipped. A unicast packet may come from anywhere beyond the link.
func (s *sock) read(buf []byte) (n int, o origin, err error) {
	for {
		var src net.Addr
		var dst net.IP
		n, o.index, dst, src, err = s.readRaw(buf)
		if err != nil {
			return 0, o, err
		}
		udp, ok := src.(*net.UDPAddr)
		if !ok || udp.Port != mdnsPort || dst != nil && !dst.IsMulticast() {
			continue
		}
		o.from = udp.AddrPort().Addr().Unmap().WithZone("")
		return n, o, nil
	}
}

func (s *sock) readRaw(buf []byte) (n, index int, dst net.IP, src net.Addr, err error) {
	if s.family == ip4 {
		var cm *ipv4.ControlMessage
		if n, cm, src, err = s.v4.ReadFrom(buf); cm != nil {
			index, dst = cm.IfIndex, cm.Dst
		}
		return n, index, dst, src, err
	}
	var cm *ipv6.ControlMessage
	if n, cm, src, err = s.v6.ReadFrom(buf); cm != nil {
		index, dst = cm.IfIndex, cm.Dst
	}
	return n, index, dst, src, err
}
