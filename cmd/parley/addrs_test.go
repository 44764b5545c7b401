package main

import (
	"slices"
	"testing"
)

func TestAddressesToGiveToOthers(t *testing.T) {
	const id = "/p2p/12D3KooWabc"
	got := toOthers([]string{
		"/ip4/127.0.0.1/tcp/7330" + id, "/ip6/::1/udp/7330/quic-v1" + id, "/ip6/fe80::1/tcp/7330" + id,
		"/ip6/fd00::7/tcp/7330" + id, "/ip6/2001:db8::7/tcp/7330" + id, "/ip4/192.0.2.7/tcp/7330/ws" + id,
		"/ip4/192.0.2.7/tcp/7330" + id, "/ip4/192.0.2.8/tcp/7330" + id,
		"/ip4/192.0.2.7/udp/7330/quic-v1/webtransport/certhash/uEia/certhash/uEib" + id,
		"/ip6/fd00::7/udp/7330/quic-v1" + id, "/ip6/2001:db8::7/udp/7330/quic-v1" + id,
	})
	if want := []string{"/ip4/192.0.2.7/tcp/7330" + id, "/ip6/2001:db8::7/udp/7330/quic-v1" + id}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := toOthers([]string{"/ip4/127.0.0.1/tcp/7330" + id, "nonsense"}); len(got) != 0 {
		t.Errorf("%q is for this machine alone", got)
	}
}

func TestTheAddressInUse(t *testing.T) {
	for want, addrs := range map[string][]string{
		"":                        nil,
		"/ip4/192.0.2.7/tcp/7330": {"/ip4/192.0.2.7/tcp/7330"},
		"/ip4/192.0.2.7/udp/1/quic-v1/webtransport +2": {
			"/ip4/192.0.2.7/udp/1/quic-v1/webtransport/certhash/uEia/certhash/uEib", "/ip6/::1/tcp/1", "/ip6/::1/tcp/2",
		},
	} {
		if got := inUse(addrs); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
