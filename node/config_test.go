package node

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

type noDiscovery struct{}

func (noDiscovery) Run(context.Context, DiscoverySelf, func(peer.AddrInfo)) error { return nil }
func (noDiscovery) Status() DiscoveryStatus                                       { return DiscoveryStatus{} }

func TestConfigDefaultsAreFine(t *testing.T) {
	for name, c := range map[string]Config{
		"only a directory": {Dir: "x"},
		"everything": {
			Dir: "x", Network: NetworkConfig{Name: "lab", Secret: &[32]byte{}},
			Listen: []ma.Multiaddr{ma.StringCast("/ip4/0.0.0.0/udp/0/quic-v1"), ma.StringCast("/ip6/::/tcp/7330/ws")},
			Peers:  []peer.AddrInfo{somePeer(t, 1, "/dns4/x.local/tcp/1")}, Zone: "楼 3", Version: "1.2.3", NoMDNS: true, MapPort: true, Light: true,
		},
		"a discovery of one's own": {Dir: "x", Discovery: noDiscovery{}},
	} {
		if err := c.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	peers := make([]peer.AddrInfo, maxStatic+1)
	listen := make([]ma.Multiaddr, maxListen+1)
	for name, c := range map[string]struct {
		Config
		says string
	}{
		"no directory":     {Config{}, "no data directory"},
		"a bad name":       {Config{Dir: "x", Network: NetworkConfig{Name: "\x00"}}, "network name"},
		"secret, invite":   {Config{Dir: "x", Network: NetworkConfig{Secret: &[32]byte{}, Invite: &Invite{}}}, "a secret and an invite"},
		"listen on a name": {Config{Dir: "x", Listen: []ma.Multiaddr{ma.StringCast("/dns4/x/tcp/1")}}, "listen address"},
		"listen nowhere":   {Config{Dir: "x", Listen: []ma.Multiaddr{nil}}, "listen address"},
		"listen too often": {Config{Dir: "x", Listen: listen}, "33 listen addresses"},
		"a nameless peer":  {Config{Dir: "x", Peers: []peer.AddrInfo{{Addrs: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.1/tcp/1")}}}}, "without a peer ID"},
		"an empty peer":    {Config{Dir: "x", Peers: []peer.AddrInfo{somePeer(t, 1)}}, "0 addresses"},
		"too many peers":   {Config{Dir: "x", Peers: peers}, "1025 peers"},
		"a long zone":      {Config{Dir: "x", Zone: strings.Repeat("x", 65)}, "zone"},
		"a long version":   {Config{Dir: "x", Version: strings.Repeat("x", 65)}, "version"},
		"a strange zone":   {Config{Dir: "x", Zone: "a\nb"}, "zone"},
		"a broken zone":    {Config{Dir: "x", Zone: "\xff"}, "zone"},
		"two discoveries":  {Config{Dir: "x", NoMDNS: true, Discovery: noDiscovery{}}, "multicast DNS"},
	} {
		err := c.validate()
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", name, err)
		}
	}
}

func TestConfigTellsEveryFault(t *testing.T) {
	c := Config{Zone: "\n", Network: NetworkConfig{Name: "\x00"}}
	err := c.validate()
	for _, part := range []string{"data directory", "zone", "network name"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not tell of the %s", err, part)
		}
	}
}
