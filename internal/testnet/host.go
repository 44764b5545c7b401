package testnet

import (
	"fmt"
	"net"
	"strconv"

	"github.com/libp2p/go-libp2p"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/quicsocket"
)

// MaxHosts is how many hosts a network addresses: 10.77.0.0/16, one address each.
const MaxHosts = 250 * 250

// Port is the UDP port every host listens on.
const Port = 7330

// unknownHost stands for an address outside the network.
const unknownHost = -1

// Addr is where host i listens: a QUIC address of its own in 10.77.0.0/16. It panics unless
// 0 <= i < MaxHosts.
func (n *Net) Addr(i int) multiaddr.Multiaddr {
	return multiaddr.StringCast("/ip4/" + ipOf(i).String() + "/udp/" + strconv.Itoa(Port) + "/quic-v1")
}

// Options makes the host built with them host i of this network: QUIC over a simulated socket is
// its only transport, Addr(i) its only address. They come after all other options and replace any
// transport chosen there. Identify's address discovery is off, for it keeps fake time from moving.
// The same options build the host again after it was closed.
func (n *Net) Options(i int) []libp2p.Option {
	return []libp2p.Option{
		libp2p.NoTransports,
		libp2p.Transport(libp2pquic.NewTransport),
		n.quicReuse(i),
		libp2p.NoListenAddrs,
		libp2p.ListenAddrs(n.Addr(i)),
		libp2p.DisableIdentifyAddressDiscovery(),
	}
}

func (n *Net) quicReuse(i int) libp2p.Option {
	listen := func(_ string, a *net.UDPAddr) (net.PacketConn, error) {
		if a.Port != Port || !a.IP.Equal(ipOf(i)) {
			return nil, fmt.Errorf("testnet: host %d has no address %s", i, a)
		}
		return n.listen(i), nil
	}
	selector := func() (quicreuse.SourceIPSelector, error) { return sourceIP(ipOf(i)), nil }
	return quicsocket.Over(
		quicreuse.OverrideListenUDP(listen), quicreuse.OverrideSourceIPSelector(selector))
}

// sourceIP answers for the kernel's routing table.
type sourceIP net.IP

func (s sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(s), nil
}

// ipOf gives host i its address, four bytes long as simnet compares addresses bytewise. The last
// two bytes stay within 1…250.
func ipOf(i int) net.IP {
	if i < 0 || i >= MaxHosts {
		panic(fmt.Sprintf("testnet: no host %d", i))
	}
	return net.IP{10, 77, byte(i/250 + 1), byte(i%250 + 1)}
}

func udpAddr(i int) *net.UDPAddr { return &net.UDPAddr{IP: ipOf(i), Port: Port} }

// hostOf is ipOf's inverse; unknownHost for addresses that are none of the network's.
func hostOf(a net.Addr) int {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return unknownHost
	}
	ip := u.IP.To4()
	if ip == nil || ip[0] != 10 || ip[1] != 77 {
		return unknownHost
	}
	return (int(ip[2])-1)*250 + int(ip[3]) - 1
}
