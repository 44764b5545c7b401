//go:build linux

// Package netns gives tests a LAN of real network namespaces on one machine: hosts with an address,
// a cable that can be pulled, packets that get lost, and real processes in them. Nothing of it
// touches the machine's own network: the bridge lives in a namespace of its own, no host has a
// default route, so neither multicast nor anything else gets out.
//
//	lab := netns.New(t)                    // skips without root, see Require
//	a, b := lab.Host("a"), lab.Host("b")
//	p := a.Start("parley", "run")
//	p.WaitLine(10*time.Second, func(s string) bool { return strings.HasPrefix(s, "ready ") })
//	b.Down()
//
// The topology of one Lab, its namespaces named after the test process:
//
//	  a                  b            …   namespaces parley-PID-N-NAME
//	eth0 10.88.0.1/24  eth0 10.88.0.2/24
//	  │ veth             │
//	  port1 ── br0 ──  port2              namespace parley-PID-N-bridge
//
// Lab.Far adds hosts behind a router, in segments that no multicast crosses.
//
// All of it, processes first, ends with the test; what a killed test run left behind is removed by
// the next one. Methods fail the test on errors and, but for those of Proc, belong to the test's
// goroutine.
package netns

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

const (
	namePrefix = "parley-"
	bridgeName = "br0"
	ifaceName  = "eth0"
)

// subnet is every Lab's network. Labs share it, for their bridges are not connected.
var subnet = netip.MustParsePrefix("10.88.0.0/24")

// labs counts the Labs of this process, to name their namespaces.
var labs atomic.Int64

// Require skips the test unless it may make namespaces. The reason begins with "group root: ", by
// which make test reports what did not run. With CI=true the test fails instead: there nothing may
// go untested unseen.
func Require(t testing.TB) {
	t.Helper()
	reason := missing()
	switch {
	case reason == "":
	case os.Getenv("CI") == "true":
		t.Fatalf("group root: %s", reason)
	default:
		t.Skipf("group root: %s", reason)
	}
}

func missing() string {
	if os.Geteuid() != 0 {
		return "network namespaces need root"
	}
	for _, tool := range []string{"ip", "iptables", "ip6tables"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is not installed (make deps installs it)"
		}
	}
	return ""
}

// Lab is one LAN: a bridge and the hosts on it.
type Lab struct {
	t        testing.TB
	prefix   string // of its namespaces' names
	bridge   string // the bridge's namespace
	lastAddr netip.Addr
	ports    int
	router   string // its namespace, "" before Far
	segments int
}

// New makes an empty LAN that ends with the test.
func New(t testing.TB) *Lab {
	t.Helper()
	Require(t)
	removeStale()
	l := &Lab{
		t:        t,
		prefix:   fmt.Sprintf("%s%d-%d-", namePrefix, os.Getpid(), labs.Add(1)),
		lastAddr: subnet.Addr(),
	}
	l.bridge = l.namespace("bridge")
	l.ip("-n", l.bridge, "link", "add", bridgeName, "type", "bridge")
	l.ip("-n", l.bridge, "link", "set", bridgeName, "up")
	return l
}

// namespace makes a namespace that is removed, with all processes in it, when the test ends.
func (l *Lab) namespace(name string) string {
	l.t.Helper()
	ns := l.prefix + name
	l.ip("netns", "add", ns)
	l.t.Cleanup(func() {
		if err := remove(ns); err != nil {
			l.t.Errorf("removing namespace %s: %v", ns, err)
		}
	})
	return ns
}

// nextAddr returns an address no host of this Lab had yet.
func (l *Lab) nextAddr() netip.Addr {
	l.t.Helper()
	l.lastAddr = l.lastAddr.Next()
	if last := l.lastAddr.As4()[3]; last == 255 {
		l.t.Fatal("netns: the LAN is out of addresses")
	}
	return l.lastAddr
}

func (l *Lab) ip(args ...string) string {
	l.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// remove kills what runs in the namespace and deletes it.
func remove(ns string) error {
	out, err := exec.Command("ip", "netns", "pids", ns).Output()
	if err != nil {
		return fmt.Errorf("list its processes: %w", err)
	}
	for _, f := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
	if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// removeStale removes the namespaces of test processes that were killed before they could.
func removeStale() {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return // no namespace was ever made
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), namePrefix)
		owner, _, named := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(owner)
		if !ours || !named || err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		_ = remove(e.Name()) // another test process may be at it too
	}
}
