package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// DefaultPort is the UDP and TCP port a node listens on when it is free: what
// a firewall has to let through.
const DefaultPort = 7330

// listenTries is how many ports are tried before a node gives up.
const listenTries = 16

// listen listens on addrs, each of which must work. Nil means the default port
// on all interfaces, or a free one if it is taken.
func listen(ctx context.Context, h host.Host, addrs []ma.Multiaddr) error {
	if addrs == nil {
		return listenSomewhere(ctx, h, net.IPv4zero, net.IPv6zero, DefaultPort)
	}
	for _, a := range addrs {
		if err := probeTCP(h, a); err != nil {
			return ErrListen.Withf("cannot listen on %v: %v", a, err)
		}
		if err := h.Network().Listen(a); err != nil {
			return ErrListen.Withf("cannot listen on %v: %v", a, err)
		}
	}
	return nil
}

// listenSomewhere listens on one UDP and one TCP port of the same number, the
// wanted one or a free one. IPv6, where ip6 is not nil, may be absent.
func listenSomewhere(ctx context.Context, h host.Host, ip4, ip6 net.IP, port int) error {
	var last error
	for range listenTries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if last = probe(ip4, port); last == nil {
			if last = listenOn(h, ip4, port); last == nil {
				if ip6 != nil {
					_ = listenOn(h, ip6, port)
				}
				return nil
			}
			unlisten(h)
		}
		var err error
		if port, err = freePort(ip4); err != nil {
			return ErrListen.With(err)
		}
	}
	return ErrListen.With(last)
}

// listenOn listens with every transport on one port.
func listenOn(h host.Host, ip net.IP, port int) error {
	at := "/ip6/" + ip.String()
	if ip.To4() != nil {
		at = "/ip4/" + ip.String()
	}
	p := strconv.Itoa(port)
	var errs []error
	for _, a := range []string{
		"/udp/" + p + "/quic-v1", "/udp/" + p + "/quic-v1/webtransport", "/udp/" + p + "/webrtc-direct",
		"/tcp/" + p, "/tcp/" + p + "/ws",
	} {
		errs = append(errs, h.Network().Listen(ma.StringCast(at+a)))
	}
	return errors.Join(errs...)
}

func unlisten(h host.Host) {
	if n, ok := h.Network().(interface{ ListenClose(...ma.Multiaddr) }); ok {
		n.ListenClose(h.Network().ListenAddresses()...)
	}
}

// probe reports whether the port is free, UDP and TCP. Listening itself would
// not tell: libp2p shares TCP ports between processes of one user, and the
// kernel would deal connections out among them.
func probe(ip net.IP, port int) error {
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port})
	if err != nil {
		return err
	}
	t, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port})
	if err != nil {
		return errors.Join(err, u.Close())
	}
	return errors.Join(u.Close(), t.Close())
}

// probeTCP does the same for one address that was asked for. Other transports
// tell by themselves, and so does a TCP port on which h listens already, with
// WebSocket beside it.
func probeTCP(h host.Host, a ma.Multiaddr) error {
	port, err := a.ValueForProtocol(ma.P_TCP)
	if err != nil || port == "0" || len(a) < 2 {
		return nil // not a fixed TCP port: nothing to probe
	}
	for _, own := range h.Network().ListenAddresses() {
		if len(own) >= 2 && own[:2].Equal(a[:2]) {
			return nil
		}
	}
	l, err := manet.Listen(a[:2])
	if err != nil {
		return err
	}
	return l.Close()
}

// freePort asks the system for a free UDP port; whether TCP has it free too
// the probe will tell.
func freePort(ip net.IP) (int, error) {
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip})
	if err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	defer u.Close()
	addr, ok := u.LocalAddr().(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("free port: unexpected address %v", u.LocalAddr())
	}
	return addr.Port, nil
}
