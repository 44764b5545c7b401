package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ws "github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

// DefaultPort is the UDP and TCP port a node listens on when it is free.
const DefaultPort = 7330

// listenTries is how many ports are tried before a node gives up.
const listenTries = 16

// newHost builds the libp2p host, which does not listen yet: a peer that came
// before the handlers are set would find no hello and go away for good. The
// addresses to listen on are those of Config.Libp2p, if it has any, else asked.
//
// Relay, AutoNAT and address discovery are off: nothing outside admission is
// served to strangers but identify and ping.
func newHost(key crypto.PrivKey, cfg *Config) (h host.Host, listen []ma.Multiaddr, err error) {
	listen = cfg.Listen
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent("parley"),
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ShareTCPListener(),
		libp2p.Ping(false), // the liveness monitor serves it
		// A black hole detector counts peers that are switched off and then
		// stops dialling whole address families. Dead peers are normal here.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}
	if cfg.MapPort {
		opts = append(opts, libp2p.NATPortMap())
	}
	opts = append(opts, cfg.Libp2p...)
	opts = append(opts, func(c *libp2p.Config) error {
		if len(c.ListenAddrs) > 0 {
			listen = c.ListenAddrs
		}
		c.ListenAddrs = nil
		return c.Apply(hostDefaults(c, cfg)...)
	})
	h, err = libp2p.New(opts...)
	if err != nil {
		return nil, nil, ErrHost.With(err)
	}
	return h, listen, nil
}

// hostDefaults are the options for what Config.Libp2p left open.
func hostDefaults(c *libp2p.Config, cfg *Config) []libp2p.Option {
	var opts []libp2p.Option
	if c.Transports == nil {
		opts = append(opts, libp2p.Transport(quic.NewTransport))
	}
	// A QUIC socket of one's own means a simulated network: it has no TCP.
	if c.Transports == nil && c.QUICReuse == nil {
		opts = append(opts, libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(plainDialer)), libp2p.Transport(ws.New))
	}
	if !c.DisableMetrics && c.PrometheusRegisterer == nil {
		opts = append(opts, metricsOption(cfg.Registerer))
	}
	return append(opts, limitOptions(c, cfg)...)
}

func limitOptions(c *libp2p.Config, cfg *Config) []libp2p.Option {
	l := siteLimits()
	if cfg.Light {
		l = lightLimits()
	}
	var opts []libp2p.Option
	if c.ResourceManager == nil {
		opts = append(opts, func(c *libp2p.Config) error {
			rm, err := l.resourceManager(cfg.Registerer != nil)
			if err != nil {
				return err
			}
			return c.Apply(libp2p.ResourceManager(rm))
		})
	}
	if c.ConnManager == nil {
		opts = append(opts, func(c *libp2p.Config) error {
			cm, err := l.connManager()
			if err != nil {
				return err
			}
			return c.Apply(libp2p.ConnectionManager(cm))
		})
	}
	return opts
}

func metricsOption(reg prometheus.Registerer) libp2p.Option {
	if reg == nil {
		return libp2p.DisableMetrics()
	}
	return libp2p.PrometheusRegisterer(reg)
}

// plainDialer dials from a fresh port. From the listening port, as libp2p does
// by default, two nodes that dial each other at one moment meet in a TCP
// simultaneous open, which the handshake does not survive.
func plainDialer(ma.Multiaddr) (tcp.ContextDialer, error) { return &net.Dialer{}, nil }

// listen listens on addrs. Nil means the default port on all interfaces, or a
// free one if it is taken; then what fails of them is tolerated as long as one
// UDP and one TCP listener stand. Of addresses that were asked for each must.
func listen(ctx context.Context, h host.Host, addrs []ma.Multiaddr) error {
	if addrs == nil {
		return listenDefault(ctx, h)
	}
	for _, a := range addrs {
		if err := h.Network().Listen(a); err != nil {
			return ErrListen.Withf("cannot listen on %v: %v", a, err)
		}
	}
	return nil
}

func listenDefault(ctx context.Context, h host.Host) error {
	port := DefaultPort
	var last error
	for range listenTries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if last = probe(port); last == nil {
			if last = listenOn(h, port); last == nil {
				return nil
			}
		}
		var err error
		if port, err = freePort(); err != nil {
			return ErrListen.With(err)
		}
	}
	return ErrListen.With(last)
}

// listenOn listens with every transport on one port. IPv6 may be absent.
func listenOn(h host.Host, port int) error {
	var errs []error
	for _, a := range defaultListen("/ip4/0.0.0.0", port) {
		errs = append(errs, h.Network().Listen(a))
	}
	if err := errors.Join(errs...); err != nil {
		unlisten(h)
		return err
	}
	for _, a := range defaultListen("/ip6/::", port) {
		_ = h.Network().Listen(a)
	}
	return nil
}

func unlisten(h host.Host) {
	if n, ok := h.Network().(interface{ ListenClose(...ma.Multiaddr) }); ok {
		n.ListenClose(h.Network().ListenAddresses()...)
	}
}

func defaultListen(ip string, port int) []ma.Multiaddr {
	p := strconv.Itoa(port)
	return []ma.Multiaddr{
		ma.StringCast(ip + "/udp/" + p + "/quic-v1"),
		ma.StringCast(ip + "/tcp/" + p),
		ma.StringCast(ip + "/tcp/" + p + "/ws"),
	}
}

// probe reports whether the port is free, UDP and TCP. Listening itself would
// not tell: libp2p shares TCP ports between processes of one user, and the
// kernel would deal connections out among them.
func probe(port int) error {
	addr := ":" + strconv.Itoa(port)
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	t, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, u.Close())
	}
	return errors.Join(u.Close(), t.Close())
}

// freePort asks the system for a free UDP port; whether TCP has it free too
// the probe will tell.
func freePort() (int, error) {
	u, err := net.ListenPacket("udp", ":0")
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

// withoutUnspecified sorts addresses for showing and drops unspecified ones.
func shownAddrs(addrs []ma.Multiaddr) []ma.Multiaddr {
	out := slices.Clone(addrs)
	slices.SortFunc(out, func(a, b ma.Multiaddr) int { return a.Compare(b) })
	return slices.CompactFunc(out, func(a, b ma.Multiaddr) bool { return a.Equal(b) })
}
