package node

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// machine is what a host on a LAN with two container bridges tells, as identify
// does: bytewise ascending.
func machine() []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, ip := range []string{"172.17.0.1", "172.18.0.1", "192.168.1.7"} {
		for _, end := range []string{"tcp/7330", "tcp/7330/ws", "udp/7330/quic-v1", "udp/7330/quic-v1/webtransport", "udp/7330/webrtc-direct"} {
			addrs = append(addrs, ma.StringCast("/ip4/"+ip+"/"+end))
		}
	}
	return addrs
}

// Of many addresses the first few are told and remembered: they must be those
// that lead there.
func TestTheFirstAddressesReachAMachineWithBridges(t *testing.T) {
	for name, c := range map[string]struct {
		remote string
		dir    network.Direction
		first  []ma.Multiaddr
	}{
		"outbound": {"/ip4/192.168.1.7/udp/7330/quic-v1", network.DirOutbound, addrsOf("/ip4/192.168.1.7/udp/7330/quic-v1", "/ip4/192.168.1.7/tcp/7330")},
		"inbound":  {"/ip4/192.168.1.7/tcp/51402", network.DirInbound, addrsOf("/ip4/192.168.1.7/tcp/7330", "/ip4/192.168.1.7/udp/7330/quic-v1")},
		"routed":   {"/ip4/10.9.9.9/tcp/7330", network.DirOutbound, addrsOf("/ip4/10.9.9.9/tcp/7330", "/ip4/172.17.0.1/tcp/7330")},
	} {
		got := usefulAddrs(connTo{nil, ma.StringCast(c.remote), c.dir}, machine())
		if !slices.EqualFunc(got[:2], c.first, ma.Multiaddr.Equal) {
			t.Errorf("%s: %v come first, want %v", name, got[:2], c.first)
		}
		if want := len(ma.Unique(append(machine(), c.first...))); len(got) != want {
			t.Errorf("%s: %d addresses of %d", name, len(got), want)
		}
	}
	told := toldAddrs(machine(), false)
	var ways []string
	for _, a := range told {
		ip, _ := ipOf(a)
		ways = append(ways, ip.String()+" "+transportOf(a))
	}
	for _, want := range []string{"192.168.1.7 tcp", "192.168.1.7 quic", "172.18.0.1 tcp"} {
		if !slices.Contains(ways, want) || len(told) != maxAboutAddrs {
			t.Errorf("%s is not among the %d: %v", want, len(told), ways)
		}
	}
}

// What others tell must not have a node dial its own machine, or all at once.
func TestToldAddressesAreOfOtherMachines(t *testing.T) {
	good := "/ip4/10.0.0.1/tcp/1"
	bad := addrsOf("/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1", "/ip4/224.0.0.1/udp/1/quic-v1", "/ip4/255.255.255.255/udp/1/quic-v1",
		"/ip6/::ffff:0.0.0.0/tcp/1", "/dns4/example.org/tcp/1", "/unix/tmp/x", "/ip4/10.0.0.1")
	loop := addrsOf("/ip4/127.0.0.1/tcp/22", "/ip4/127.9.9.9/tcp/22", "/ip6/::1/tcp/22", "/ip6/::ffff:127.0.0.1/tcp/22")
	told := slices.Concat(bad, loop, addrsOf(good))
	if got := toldAddrs(told, false); fmt.Sprint(got) != "["+good+"]" {
		t.Errorf("dialled are %v", got)
	}
	if got := toldAddrs(told, true); len(got) != len(loop)+1 {
		t.Errorf("on one machine are dialled %v", got)
	}
	var many []ma.Multiaddr
	for i := range 100 {
		many = append(many, ma.StringCast(fmt.Sprintf("/ip4/10.0.0.%d/tcp/1", i)))
	}
	if got := toldAddrs(many, false); len(got) != maxAboutAddrs {
		t.Errorf("%d are dialled", len(got))
	}
}

// An answer's loopback addresses are of use to who asked over loopback alone.
func TestAnAnswersAddressesAreCleaned(t *testing.T) {
	told := peer.AddrInfo{ID: somePeer(t, 1).ID, Addrs: addrsOf("/ip4/127.0.0.1/tcp/22", "/ip4/10.0.0.1/tcp/1")}
	b := about{peers: []peer.AddrInfo{told}}.encode()
	for loopback, want := range map[bool]int{false: 1, true: 2} {
		if got, err := decodeAbout(b, loopback); err != nil || len(got.peers) != 1 || len(got.peers[0].Addrs) != want {
			t.Errorf("loopback %v: %v, %v", loopback, got.peers, err)
		}
	}
}
