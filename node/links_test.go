package node

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

// order is rank's answer with its delays, in the order of dialling.
func order(l *links, addrs ...string) []string {
	ranked := l.rank(addrsOf(addrs...))
	slices.SortStableFunc(ranked, func(a, b network.AddrDelay) int { return int(a.Delay - b.Delay) })
	var out []string
	for _, d := range ranked {
		out = append(out, fmt.Sprint(d.Delay.Milliseconds(), " ", d.Addr))
	}
	return out
}

func TestTCPIsFirstOnALocalNetwork(t *testing.T) {
	for name, test := range map[string]struct{ addrs, want []string }{
		"local": {
			[]string{"/ip4/10.0.0.1/udp/1/webrtc-direct", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.1/tcp/1/ws", "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1/webtransport"},
			[]string{
				"0 /ip4/10.0.0.1/tcp/1", "250 /ip4/10.0.0.1/udp/1/quic-v1", "500 /ip4/10.0.0.1/udp/1/quic-v1/webtransport",
				"530 /ip4/10.0.0.1/tcp/1/ws", "630 /ip4/10.0.0.1/udp/1/webrtc-direct",
			},
		},
		"both families": {
			[]string{"/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/udp/1/quic-v1", "/ip6/fd00::1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1"},
			[]string{"0 /ip6/fd00::1/tcp/1", "30 /ip4/10.0.0.1/tcp/1", "250 /ip6/fd00::1/udp/1/quic-v1", "280 /ip4/10.0.0.1/udp/1/quic-v1"},
		},
		"public": {
			[]string{"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/udp/1/quic-v1"},
			[]string{"0 /ip4/1.2.3.4/udp/1/quic-v1", "250 /ip4/1.2.3.4/tcp/1"},
		},
		"QUIC alone": {[]string{"/ip4/10.0.0.1/udp/1/quic-v1"}, []string{"0 /ip4/10.0.0.1/udp/1/quic-v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := order(&links{headStart: defaultHeadStart}, test.addrs...); !slices.Equal(got, test.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestALinkThatFallsSilentTwiceIsDialledOverQUIC(t *testing.T) {
	ip := netip.MustParseAddr("10.0.0.1")
	here, there := ma.StringCast("/ip4/10.0.0.1/tcp/1"), ma.StringCast("/ip4/10.0.0.2/tcp/1")
	start := time.Now()
	for name, test := range map[string]struct {
		silences []time.Duration // after start
		poor     bool            // just after the last
	}{
		"once":                     {[]time.Duration{0}, false},
		"twice, far apart":         {[]time.Duration{0, silentAgain}, false},
		"twice":                    {[]time.Duration{0, 10 * time.Second}, true},
		"several of one outage":    {[]time.Duration{0, time.Second, time.Second}, false},
		"again after that outage":  {[]time.Duration{0, time.Second, 10 * time.Second}, true},
		"thrice, the last too far": {[]time.Duration{0, 10 * time.Second, time.Hour}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var l links
			now := start
			for _, d := range test.silences {
				now = start.Add(d)
				l.fellSilent(ip, now)
			}
			if got := l.turn(here, now) == 1; got != test.poor {
				t.Errorf("QUIC is first: %v", got)
			}
			if l.turn(there, now) != 0 {
				t.Error("so it is with another address")
			}
			if l.turn(here, now.Add(quicFirst)) != 0 {
				t.Error("QUIC is first for ever")
			}
		})
	}
}

func TestLinksAreBounded(t *testing.T) {
	var l links
	ip, now := netip.MustParseAddr("10.0.0.0"), time.Now()
	for range 3 * maxLinks {
		ip = ip.Next()
		l.fellSilent(ip, now)
	}
	if len(l.all) > maxLinks {
		t.Errorf("%d are remembered", len(l.all))
	}
	if _, ok := l.all[ip]; !ok {
		t.Error("the last is not among them")
	}
}
