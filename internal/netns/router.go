//go:build linux

package netns

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
)

// routed holds the segments of Lab.Far, a /24 each.
const routed = "10.89.0.0/16"

// Far adds a host on a segment of its own. Other far hosts are reached through a
// router, by unicast alone; hosts of the bridge are not. Its cable is never
// pulled: Unplug, Plug and Renumber are for hosts of the bridge.
//
//	a                b               …   namespaces parley-PID-N-NAME
//	eth0 10.89.1.2   eth0 10.89.2.2
//	  │ veth           │
//	  seg1 10.89.1.1   seg2 10.89.2.1    namespace parley-PID-N-router
func (l *Lab) Far(name string) *Host {
	l.t.Helper()
	if l.router == "" {
		l.router = l.namespace("router")
		cmd := exec.Command("ip", "netns", "exec", l.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
		if out, err := cmd.CombinedOutput(); err != nil {
			l.t.Fatalf("netns: the router does not route: %v: %s", err, out)
		}
	}
	h := l.Offline(name)
	l.segments++
	seg, gate := "seg"+strconv.Itoa(l.segments), fmt.Sprintf("10.89.%d.1", l.segments)
	h.addr = netip.MustParseAddr(gate).Next()
	l.ip("-n", l.router, "link", "add", seg, "type", "veth", "peer", "name", ifaceName, "netns", h.ns)
	l.ip("-n", l.router, "addr", "add", gate+"/24", "dev", seg)
	l.ip("-n", l.router, "link", "set", seg, "up")
	h.ip("addr", "add", h.cidr(), "dev", ifaceName)
	h.Up()
	h.ip("route", "add", routed, "via", gate)
	return h
}
