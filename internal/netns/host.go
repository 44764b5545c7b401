//go:build linux

package netns

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Host is a machine of the Lab: a namespace with a loopback interface and, once attached, eth0.
type Host struct {
	lab  *Lab
	ns   string
	port string // the bridge's end of the cable, "" before Attach
	addr netip.Addr

	down, unplugged bool
}

// Host adds a host that is on the LAN at once.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	h := l.Offline(name)
	h.Attach()
	return h
}

// Offline adds a host that has nothing but loopback until Attach.
func (l *Lab) Offline(name string) *Host {
	l.t.Helper()
	h := &Host{lab: l, ns: l.namespace(name)}
	h.ip("link", "set", "lo", "up")
	return h
}

// Attach gives the host its interface and an address, and plugs it into the bridge.
func (h *Host) Attach() {
	l := h.lab
	l.t.Helper()
	l.ports++
	h.port = "port" + strconv.Itoa(l.ports)
	l.ip("-n", l.bridge, "link", "add", h.port, "type", "veth", "peer", "name", ifaceName, "netns", h.ns)
	l.ip("-n", l.bridge, "link", "set", h.port, "master", bridgeName, "up")
	h.addr = l.nextAddr()
	h.ip("addr", "add", h.cidr(), "dev", ifaceName)
	h.Up()
}

// Addr is the host's IPv4 address now; the zero Addr before Attach.
func (h *Host) Addr() netip.Addr { return h.addr }

// Renumber takes the host's IPv4 address away and gives it another, which no host had before.
func (h *Host) Renumber() netip.Addr {
	h.lab.t.Helper()
	h.ip("addr", "del", h.cidr(), "dev", ifaceName)
	h.addr = h.lab.nextAddr()
	h.ip("addr", "add", h.cidr(), "dev", ifaceName)
	return h.addr
}

func (h *Host) cidr() string { return netip.PrefixFrom(h.addr, subnet.Bits()).String() }

// Down switches the host's interface off. Its IPv4 address stays configured.
func (h *Host) Down() {
	h.lab.t.Helper()
	h.down = true
	h.ip("link", "set", ifaceName, "down")
}

// Up switches the host's interface on, and waits until it carries packets.
func (h *Host) Up() {
	h.lab.t.Helper()
	h.down = false
	h.ip("link", "set", ifaceName, "up")
	h.settle()
}

// Unplug pulls the cable: the interface stays up and sees no carrier.
func (h *Host) Unplug() {
	h.lab.t.Helper()
	h.unplugged = true
	h.lab.ip("-n", h.lab.bridge, "link", "set", h.port, "down")
}

// Plug puts the cable back, and waits until it carries packets.
func (h *Host) Plug() {
	h.lab.t.Helper()
	h.unplugged = false
	h.lab.ip("-n", h.lab.bridge, "link", "set", h.port, "up")
	h.settle()
}

// settleTime bounds settle: the kernel looks at carriers once a second.
const settleTime = 10 * time.Second

// settle waits until the kernel has seen that both ends of the cable are up, which it
// does some time after they are: the bridge drops what comes before.
func (h *Host) settle() {
	h.lab.t.Helper()
	if h.down || h.unplugged {
		return
	}
	ends := [][]string{{"-n", h.ns, "-br", "link", "show", ifaceName}}
	if h.port != "" { // a far host has a router at the other end
		ends = append(ends, []string{"-n", h.lab.bridge, "-br", "link", "show", h.port})
	}
	for end := time.Now().Add(settleTime); len(ends) > 0; time.Sleep(5 * time.Millisecond) {
		if strings.Contains(h.lab.ip(ends[0]...), " UP ") {
			ends = ends[1:]
		} else if time.Now().After(end) {
			h.lab.t.Fatalf("%s: the interface does not come up", h.ns)
		}
	}
}

// Lose drops each packet that reaches the host's eth0 with probability p, 0…1, in place of an
// earlier Lose.
func (h *Host) Lose(p float64) {
	h.lab.t.Helper()
	for _, tool := range []string{"iptables", "ip6tables"} {
		h.Run(tool, "-w", "-F", "INPUT")
		if p > 0 {
			h.Run(tool, "-w", "-A", "INPUT", "-i", ifaceName,
				"-m", "statistic", "--mode", "random", "--probability", fmt.Sprintf("%.6f", p), "-j", "DROP")
		}
	}
}

func (h *Host) ip(args ...string) {
	h.lab.t.Helper()
	h.lab.ip(append([]string{"-n", h.ns}, args...)...)
}

// Command prepares a command that runs on the host. The caller starts it and waits for it.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", h.ns, name}, args...)...)
}

// Run runs a command on the host and returns its standard output; a failure fails the test.
func (h *Host) Run(name string, args ...string) string {
	h.lab.t.Helper()
	var stderr strings.Builder
	cmd := h.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		h.lab.t.Fatalf("on %s: %s %s: %v\nstdout: %s\nstderr: %s", h.ns, name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
