package node

import (
	"net"
	"slices"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	webrtc "github.com/libp2p/go-libp2p/p2p/transport/webrtc"
	ws "github.com/libp2p/go-libp2p/p2p/transport/websocket"
	webtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

// newHost builds the libp2p host, which does not listen yet: a peer that came
// before the handlers are set would find no hello and go away for good. The
// addresses to listen on are those of Config.Libp2p, if it has any, else asked.
//
// Relay, AutoNAT and address discovery are off: nothing outside admission is
// served to strangers, or asked of them, but identify and ping. known reports
// who is or was admitted; it is asked once the host listens or dials. links say
// over which transport peers are dialled.
func newHost(key crypto.PrivKey, cfg *Config, links *links, known func(peer.ID) bool) (h host.Host, listen []ma.Multiaddr, err error) {
	listen = cfg.Listen
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent("parley"),
		libp2p.DisableRelay(),
		libp2p.ForceReachabilityPrivate(), // so AutoNAT asks nobody
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
		return c.Apply(hostDefaults(c, cfg, links, known)...)
	})
	h, err = libp2p.New(opts...)
	if err != nil {
		return nil, nil, ErrHost.With(err)
	}
	return h, listen, nil
}

// hostDefaults are the options for what Config.Libp2p left open.
func hostDefaults(c *libp2p.Config, cfg *Config, links *links, known func(peer.ID) bool) []libp2p.Option {
	var opts []libp2p.Option
	if c.Transports == nil {
		opts = append(opts, libp2p.Transport(quic.NewTransport))
	}
	// A QUIC socket of one's own means a simulated network: it has no TCP.
	if c.Transports == nil && c.QUICReuse == nil {
		opts = append(opts,
			libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(plainDialer)), libp2p.Transport(ws.New),
			libp2p.Transport(webtransport.New), libp2p.Transport(webrtc.New)) // for browsers
	}
	c.SwarmOpts = append([]swarm.Option{swarm.WithDialRanker(links.rank)}, c.SwarmOpts...) // a later ranker counts
	if !c.DisableMetrics && c.PrometheusRegisterer == nil {
		opts = append(opts, metricsOption(cfg.Registerer))
	}
	return append(opts, limitOptions(c, cfg, known)...)
}

func limitOptions(c *libp2p.Config, cfg *Config, known func(peer.ID) bool) []libp2p.Option {
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
			return c.Apply(libp2p.ResourceManager(&halved{rm, known, l.streams() / 2}))
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

// shownAddrs sorts addresses for showing and drops repeated ones.
func shownAddrs(addrs []ma.Multiaddr) []ma.Multiaddr {
	out := slices.Clone(addrs)
	slices.SortFunc(out, func(a, b ma.Multiaddr) int { return a.Compare(b) })
	return slices.CompactFunc(out, func(a, b ma.Multiaddr) bool { return a.Equal(b) })
}
