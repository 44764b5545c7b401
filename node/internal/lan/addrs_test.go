package lan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
)

func usablePrefixes(texts ...string) []netip.Prefix {
	var list []net.Addr
	for _, t := range texts {
		ip, n, err := net.ParseCIDR(t)
		if err != nil {
			panic(err)
		}
		list = append(list, &net.IPNet{IP: ip, Mask: n.Mask})
	}
	return usable(list)
}

func TestUsable(t *testing.T) {
	got := usablePrefixes("127.0.0.1/8", "::1/128", "fe80::1/64", "192.168.1.5/24", "169.254.3.4/16", "2001:db8::5/128", "0.0.0.0/0")
	want := "[169.254.3.4/16 192.168.1.5/24 2001:db8::5/128]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
	mapped := usable([]net.Addr{&net.IPNet{IP: net.ParseIP("::ffff:10.0.0.1"), Mask: net.CIDRMask(120, 128)}})
	if fmt.Sprint(mapped) != "[10.0.0.1/24]" {
		t.Errorf("an IPv4-mapped address became %v", mapped)
	}
}

func TestAnnouncedAddresses(t *testing.T) {
	i := iface{prefixes: usablePrefixes("10.0.0.5/24", "fd00::5/64")}
	got := announced(addrs(
		"/ip4/0.0.0.0/tcp/7330", "/ip4/0.0.0.0/udp/7330/quic-v1", "/ip6/::/udp/7330/quic-v1",
		"/ip4/0.0.0.0/tcp/7330/ws", "/ip4/0.0.0.0/udp/7330/webrtc-direct", // not for a LAN
		"/ip4/10.0.0.5/tcp/9",                             // asked for, and here
		"/ip4/127.0.0.1/tcp/8", "/ip4/192.168.9.9/tcp/10", // loopback, another interface
		"/dns4/example.org/tcp/1", "/ip4/0.0.0.0/tcp/0",
	), i)
	want := []string{
		"/ip4/10.0.0.5/tcp/7330", "/ip4/10.0.0.5/tcp/9", "/ip4/10.0.0.5/udp/7330/quic-v1", "/ip6/fd00::5/udp/7330/quic-v1",
	}
	var texts []string
	for _, a := range got {
		texts = append(texts, a.String())
	}
	slices.Sort(texts)
	if !slices.Equal(texts, want) {
		t.Errorf("got %v", texts)
	}
}

func TestAnnouncedAddressesAreFew(t *testing.T) {
	var texts []string
	for n := range 20 {
		texts = append(texts, fmt.Sprintf("10.0.%d.1/24", n))
	}
	if got := announced(addrs("/ip4/0.0.0.0/tcp/7330"), iface{prefixes: usablePrefixes(texts...)}); len(got) != maxAddrs {
		t.Errorf("%d addresses", len(got))
	}
}

// What is heard must not make a node dial anywhere but on the link: not the
// internet, not itself, not another site.
//
// spec: 01-network M31
func TestBelievedAddresses(t *testing.T) {
	i := iface{prefixes: usablePrefixes("10.0.0.5/24", "fd00::5/128")}
	for text, want := range map[string]bool{
		"/ip4/10.0.0.9/tcp/7330":          true,
		"/ip4/10.0.0.9/udp/7330/quic-v1":  true,
		"/ip6/fd00::9/udp/7330/quic-v1":   true, // a DHCPv6 address tells no network
		"/ip4/10.0.1.9/tcp/7330":          false,
		"/ip4/8.8.8.8/tcp/53":             false,
		"/ip6/2001:4860::8888/tcp/53":     false,
		"/ip4/127.0.0.1/tcp/22":           false,
		"/ip4/0.0.0.0/tcp/7330":           false,
		"/ip4/224.0.0.251/tcp/7330":       false,
		"/ip6/fe80::1/tcp/7330":           false,
		"/dns4/example.org/tcp/7330":      false,
		"/dnsaddr/example.org":            false,
		"/ip4/10.0.0.9/tcp/0":             false,
		"/ip4/10.0.0.9/tcp/7330/ws":       false,
		"/ip4/10.0.0.9/udp/7330":          false,
		"/ip4/10.0.0.9/tcp/1/p2p-circuit": false,
		"/unix/tmp/x":                     false,
	} {
		if got := believed(addrs(text)[0], i); got != want {
			t.Errorf("%s: believed %v", text, got)
		}
	}
}
