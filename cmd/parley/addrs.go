package main

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Addresses that every node understands: TCP, and QUIC over UDP, with nothing
// on top and the peer ID at the end.
var (
	plainTCP = regexp.MustCompile(`^/ip[46]/([^/]+)/tcp/\d+/p2p/\w+$`)
	plainUDP = regexp.MustCompile(`^/ip[46]/([^/]+)/udp/\d+/quic-v1/p2p/\w+$`)
)

// toOthers returns of a node's addresses those to give to another machine: the
// best one over TCP, then over UDP. Both may be missing.
func toOthers(addrs []string) []string {
	var best []string
	for _, form := range []*regexp.Regexp{plainTCP, plainUDP} {
		var usable []string
		for _, addr := range addrs {
			if m := form.FindStringSubmatch(addr); m != nil && reach(m[1]) > 0 {
				usable = append(usable, addr)
			}
		}
		if len(usable) > 0 {
			best = append(best, slices.MaxFunc(usable, func(a, b string) int {
				return cmp.Compare(reach(form.FindStringSubmatch(a)[1]), reach(form.FindStringSubmatch(b)[1]))
			}))
		}
	}
	return best
}

// reach tells how good an IP address is for a person to pass on: 0 is no use on
// another machine, IPv4 is the shortest and works on most LANs.
func reach(ip string) int {
	addr, err := netip.ParseAddr(ip)
	switch {
	case err != nil || !addr.IsGlobalUnicast(): // loopback, link-local, none
		return 0
	case addr.Is4():
		return 3
	case addr.IsPrivate():
		return 1
	default:
		return 2
	}
}

// inUse shows a peer's addresses: the one in use, which is the first, without
// the hashes of certificates, and how many more there are.
func inUse(addrs []string) string {
	if len(addrs) == 0 {
		return ""
	}
	addr, _, _ := strings.Cut(addrs[0], "/certhash/")
	if more := len(addrs) - 1; more > 0 {
		addr += " +" + strconv.Itoa(more)
	}
	return addr
}
