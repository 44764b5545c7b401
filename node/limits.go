package node

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/pbnjay/memory"
)

// limits bound what a node spends on others. libp2p's defaults are made for
// the open internet: 8 connections an address, 0.2 new ones a second and some
// 250 in all break the first classroom behind one address. These are generous
// for a site, and still bounds: a stranger who opens connections without end
// is cut off long before memory runs out (one connection is about 85 KB), and
// the connection manager closes strangers before members.
type limits struct {
	conns        int // in all
	connsInbound int
	lowWater     int   // the connection manager trims to this,
	highWater    int   // when there are more than this
	perAddress   int   // connections an IPv4 address or IPv6 /64 may have
	memory       int64 // bytes libp2p may reserve for buffers

	newPerSecond float64 // new connections an address may make, sustained
	newBurst     int     // and at once
}

// siteLimits suit a desktop or a registrar of a site of some hundred nodes. Five
// hundred members behind one address may come at once, when each has a dozen
// streams, for each of which TCP's multiplexer reserves 256 KiB.
func siteLimits() limits {
	return limits{
		conns: 2048, connsInbound: 1536, lowWater: 1024, highWater: 1280,
		perAddress: 512, memory: memoryShare(2 << 30),
		newPerSecond: 50, newBurst: 600,
	}
}

// lightLimits suit a machine with little memory.
func lightLimits() limits {
	return limits{
		conns: 384, connsInbound: 256, lowWater: 160, highWater: 224,
		perAddress: 128, memory: memoryShare(128 << 20),
		newPerSecond: 20, newBurst: 200,
	}
}

// memoryShare is at most most bytes, at most a quarter of the machine's memory
// and at least 64 MiB.
func memoryShare(most int64) int64 {
	total := int64(min(memory.TotalMemory(), math.MaxInt64))
	if total == 0 {
		return most
	}
	return max(64<<20, min(most, total/4))
}

// pingStreams is how many ping streams one peer may have open here: its own
// liveness pings use one a connection, and another while the old one ends.
const pingStreams = 8

func (l limits) resourceManager(metrics bool) (network.ResourceManager, error) {
	cfg := l.partial()
	limiter := rcmgr.NewFixedLimiter(cfg.Build(rcmgr.DefaultLimits.AutoScale()))
	opts := []rcmgr.Option{
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: l.perAddress}},
			// On a LAN a /64 is the whole site and a /128 one machine.
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 128, ConnCount: l.perAddress}, {PrefixLength: 64, ConnCount: l.conns}},
		),
		rcmgr.WithConnRateLimiters(l.connRate()),
	}
	if metrics {
		reporter, err := rcmgr.NewStatsTraceReporter()
		if err != nil {
			return nil, fmt.Errorf("resource manager metrics: %w", err)
		}
		opts = append(opts, rcmgr.WithTraceReporter(reporter))
	} else {
		opts = append(opts, rcmgr.WithMetricsDisabled())
	}
	rm, err := rcmgr.NewResourceManager(limiter, opts...)
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	return rm, nil
}

// streams is how many streams all peers together may have open.
func (l limits) streams() int { return 16 * l.conns }

func (l limits) partial() rcmgr.PartialLimitConfig {
	streams := rcmgr.LimitVal(l.streams())
	all := rcmgr.ResourceLimits{
		Streams: streams, StreamsInbound: streams, StreamsOutbound: streams,
		Memory: rcmgr.LimitVal64(l.memory),
	}
	system := all
	system.Conns = rcmgr.LimitVal(l.conns)
	system.ConnsInbound = rcmgr.LimitVal(l.connsInbound)
	system.ConnsOutbound = rcmgr.LimitVal(l.conns)
	system.FD = rcmgr.LimitVal(l.conns)
	// Connections before their handshake is done may be as many as others: were
	// they fewer than one address may have, one address could take them all.
	transient := system
	transient.Memory = system.Memory / 4
	pings := all
	pings.Memory = 16 << 20
	return rcmgr.PartialLimitConfig{
		System: system, Transient: transient,
		ServiceDefault: all, ProtocolDefault: all,
		Service: map[string]rcmgr.ResourceLimits{ping.ServiceName: pings},
		ServicePeer: map[string]rcmgr.ResourceLimits{
			ping.ServiceName: {Streams: 2 * pingStreams, StreamsInbound: pingStreams, StreamsOutbound: pingStreams, Memory: 1 << 20},
		},
		// One peer: several transports and both directions at once, and the
		// streams of some hundred requests under way.
		PeerDefault: rcmgr.ResourceLimits{
			Conns: 8, ConnsInbound: 8, ConnsOutbound: 8, FD: 8,
			Streams: 1024, StreamsInbound: 512, StreamsOutbound: 512,
			Memory: rcmgr.LimitVal64(min(l.memory/4, 128<<20)),
		},
	}
}

func (l limits) connRate() *rate.Limiter {
	return addressRate(l.newPerSecond, l.newBurst)
}

// addressRate limits what one address may begin a second, and at once.
func addressRate(perSecond float64, burst int) *rate.Limiter {
	limit := rate.Limit{RPS: perSecond, Burst: burst}
	return &rate.Limiter{
		NetworkPrefixLimits: loopbackUnlimited(),
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 128, Limit: limit}},
			GracePeriod:      time.Minute,
		},
	}
}

// loopbackUnlimited exempts this machine's own nodes.
func loopbackUnlimited() []rate.PrefixLimit {
	return []rate.PrefixLimit{
		{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
		{Prefix: netip.MustParsePrefix("::1/128")},
	}
}

func (l limits) connManager() (*connmgr.BasicConnMgr, error) {
	cm, err := connmgr.NewConnManager(l.lowWater, l.highWater, connmgr.WithGracePeriod(20*time.Second))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	return cm, nil
}
