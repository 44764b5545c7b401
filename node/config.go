package node

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of a Config.
const (
	maxListen    = 32
	maxStatic    = 1024 // Config.Peers
	maxPeerAddrs = 64   // of one of Config.Peers
	maxZone      = 64   // bytes
	maxVersion   = 64   // bytes
)

// Config says how a node runs. The zero value of each field is its default;
// only Dir must be given.
type Config struct {
	// Dir is the data directory. It is made, 0700, if it is absent. One
	// directory is one node and one network. Required.
	Dir string

	// Network says which network to be in. Zero: the one the directory
	// remembers, else the open network "lan".
	Network NetworkConfig

	// Listen are the addresses to listen on, at most 32. Nil: UDP and TCP port
	// 7330 (TCP and WebSocket; QUIC v1, WebTransport and WebRTC-direct) on all
	// interfaces, free ports if these are taken. Empty but not nil: the node only dials.
	Listen []ma.Multiaddr

	// Peers are dialled for as long as the node runs, at most 1,024 with at
	// most 64 addresses each.
	Peers []peer.AddrInfo

	// NoMDNS switches finding peers on the LAN by multicast off.
	NoMDNS bool
	// MapPort asks the router to forward a port. Off, because a router is
	// told only what its owner wants it told.
	MapPort bool
	// Light takes little memory and disk: smaller caches and tables.
	Light bool

	// Zone is the site, floor or rack the node is in, at most 64 bytes of
	// UTF-8 that can be seen. Empty: none.
	Zone string

	// Admitter renews the ticket in a certified network and tells registrars that
	// the node is there. Nil: nobody does.
	Admitter Admitter

	// Version is that of the program, which the node's record in the table
	// tells, at most 64 bytes of UTF-8 that can be seen. Empty: that of this
	// module in it, or "dev" where that is not known.
	Version string

	// Logger takes the node's structured log. Nil: silent.
	Logger *slog.Logger
	// Registerer takes the node's metrics. Nil: none are kept. Two nodes on
	// one registry would merge their numbers: give each its own.
	Registerer prometheus.Registerer

	// Now is the wall clock by which the node says when things happened and
	// judges what others say. Nil: time.Now. What it does when, it does by the
	// machine's monotonic clock. It may step, and may be called concurrently.
	Now func() time.Time

	// Libp2p has the last word on how the libp2p host is built. It is the seam
	// through which a node runs on a simulated network.
	Libp2p []libp2p.Option

	// Discovery takes the place of multicast DNS, for networks that have
	// another way to find a neighbour. Nil: multicast DNS unless NoMDNS.
	Discovery Discovery

	headStart time.Duration // of the transport that is dialled first; tests make it long
}

// NetworkConfig says which network a node is in. At most one of Secret and
// Invite is set.
type NetworkConfig struct {
	// Name is the network's name, 1 to 64 characters. Empty: what the
	// directory remembers, else "lan". With neither Secret nor Invite a name
	// unknown to the directory means the open network of that name.
	Name string
	// Secret makes an ad hoc closed network of Name and these 32 bytes.
	Secret *[32]byte
	// Invite joins the network that made it.
	Invite *Invite
}

// validate reports every fault of the configuration in one ErrConfig.
func (c *Config) validate() error {
	var faults []string
	add := func(err error) {
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	if c.Dir == "" {
		add(errors.New("no data directory is given"))
	}
	add(c.Network.validate())
	add(validateListen(c.Listen))
	add(validatePeers(c.Peers))
	add(ValidateZone(c.Zone))
	if !seen(c.Version, maxVersion) {
		add(fmt.Errorf("version %q: take at most %d bytes that can be seen", c.Version, maxVersion))
	}
	if c.NoMDNS && c.Discovery != nil {
		add(errors.New("multicast DNS is switched off, and a discovery is given in its place"))
	}
	if faults == nil {
		return nil
	}
	return ErrConfig.Withf("the configuration is wrong: %s", strings.Join(faults, "; "))
}

func (n *NetworkConfig) validate() error {
	if n.Secret != nil && n.Invite != nil {
		return errors.New("a secret and an invite are given, one of them is enough")
	}
	if n.Name == "" {
		return nil
	}
	if _, err := networkName(n.Name); err != nil {
		return fmt.Errorf("network name %q: take 1 to 64 characters that can be seen", n.Name)
	}
	return nil
}

func validateListen(addrs []ma.Multiaddr) error {
	if len(addrs) > maxListen {
		return fmt.Errorf("%d listen addresses, at most %d are allowed", len(addrs), maxListen)
	}
	for _, a := range addrs {
		if !listenable(a) {
			return fmt.Errorf("listen address %v: it must begin with /ip4 or /ip6, then /tcp or /udp", a)
		}
	}
	return nil
}

// listenable looks at the first two components alone: which transports above
// them exist is the host's to say.
func listenable(a ma.Multiaddr) bool {
	if len(a) < 2 {
		return false
	}
	host, port := a[0].Protocol().Code, a[1].Protocol().Code
	return (host == ma.P_IP4 || host == ma.P_IP6) && (port == ma.P_TCP || port == ma.P_UDP)
}

func validatePeers(peers []peer.AddrInfo) error {
	if len(peers) > maxStatic {
		return fmt.Errorf("%d peers, at most %d are allowed", len(peers), maxStatic)
	}
	for _, p := range peers {
		if p.ID.Validate() != nil {
			return errors.New("a peer without a peer ID: its address must end with /p2p/ and the ID")
		}
		if len(p.Addrs) == 0 || len(p.Addrs) > maxPeerAddrs {
			return fmt.Errorf("peer %v has %d addresses, 1 to %d are allowed", p.ID, len(p.Addrs), maxPeerAddrs)
		}
	}
	return nil
}

func seen(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// ValidateZone says what is wrong with a zone ([Config.Zone]), if anything.
func ValidateZone(zone string) error {
	if !seen(zone, maxZone) {
		return fmt.Errorf("zone %q: take at most %d bytes that can be seen", zone, maxZone)
	}
	return nil
}
