//go:build linux

package netns

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// helperEnv makes the test binary a small program to run on a host: "listen" echoes what TCP
// connections send, "dial ADDR" has one line echoed.
const helperEnv = "PARLEY_NETNS_HELPER"

func TestMain(m *testing.M) {
	var err error
	switch mode, addr, _ := strings.Cut(os.Getenv(helperEnv), " "); mode {
	case "":
		os.Exit(m.Run())
	case "listen":
		err = listen()
	case "dial":
		err = dial(addr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const helperPort = 4000

func listen() error {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", helperPort))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if err == nil {
			fmt.Print("heard ", line)
			_, err = c.Write([]byte(line))
		}
		_ = c.Close()
		if err != nil {
			return err
		}
	}
}

func dial(addr string) error {
	c, err := net.DialTimeout("tcp", addr, 800*time.Millisecond)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	fmt.Print(line)
	return err
}

func helper(t *testing.T, h *Host, mode string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := h.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"="+mode)
	return cmd
}

func reach(t *testing.T, from *Host, to netip.Addr) error {
	t.Helper()
	return helper(t, from, fmt.Sprintf("dial %s:%d", to, helperPort)).Run()
}

func serve(t *testing.T, h *Host) *Proc {
	t.Helper()
	p := h.StartCommand(helper(t, h, "listen"))
	p.WaitLine(10*time.Second, func(s string) bool { return s == "ready" })
	return p
}

func TestHostsReachEachOtherAndNothingElse(t *testing.T) {
	lab, other := New(t), New(t)
	a, b := lab.Host("a"), lab.Host("b")
	stranger := other.Host("a") // same name and address, another LAN
	p := serve(t, b)
	if err := reach(t, a, b.Addr()); err != nil {
		t.Errorf("a cannot reach b: %v", err)
	}
	p.WaitLine(10*time.Second, func(s string) bool { return s == "heard hello" })
	if reach(t, stranger, b.Addr()) == nil {
		t.Error("a host of another LAN reached b")
	}
	for _, h := range []*Host{a, b, stranger} {
		if routes := h.Run("ip", "route", "show", "default"); routes != "" {
			t.Errorf("%s has a way out: %s", h.ns, routes)
		}
	}
}

// Unicast crosses the router, and nothing leaves.
func TestFarHostsAreReachedThroughARouter(t *testing.T) {
	lab := New(t)
	a, b := lab.Far("a"), lab.Far("b")
	p := serve(t, b)
	if err := reach(t, a, b.Addr()); err != nil {
		t.Errorf("a cannot reach b: %v", err)
	}
	p.WaitLine(10*time.Second, func(s string) bool { return s == "heard hello" })
	for _, h := range []*Host{a, b} {
		if routes := h.Run("ip", "route", "show", "default"); routes != "" {
			t.Errorf("%s has a way out: %s", h.ns, routes)
		}
	}
}

func TestCableInterfaceAndAddress(t *testing.T) {
	lab := New(t)
	a, b := lab.Host("a"), lab.Offline("b")
	serve(t, b)
	if b.Addr().IsValid() {
		t.Errorf("a host that is offline has the address %s", b.Addr())
	}
	b.Attach()
	expect := func(step string, to netip.Addr, want bool) {
		t.Helper()
		if err := reach(t, a, to); (err == nil) != want {
			t.Errorf("%s: %v, want reachable %t", step, err, want)
		}
	}
	expect("attached", b.Addr(), true)
	b.Down()
	expect("down", b.Addr(), false)
	b.Up()
	expect("up", b.Addr(), true)
	b.Unplug()
	expect("unplugged", b.Addr(), false)
	b.Plug()
	expect("plugged", b.Addr(), true)
	old := b.Addr()
	if b.Renumber() == old {
		t.Fatal("Renumber kept the address")
	}
	expect("the new address", b.Addr(), true)
	expect("the old address", old, false)
	b.Lose(1)
	expect("all is lost", b.Addr(), false)
	b.Lose(0)
	expect("nothing is lost", b.Addr(), true)
}

func TestKillAndExitStatus(t *testing.T) {
	h := New(t).Host("a")
	p := serve(t, h)
	p.Kill()
	if err := p.Wait(time.Second); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a killed process ended with %v", err)
	}
	serve(t, h) // its port is free again
	q := h.Start("sh", "-c", "echo out; echo err >&2; exit 3")
	var exit *exec.ExitError
	if err := q.Wait(10 * time.Second); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("exit 3 was seen as %v", err)
	}
	if got := strings.Join(q.Lines(), ","); got != "out" || q.Stderr() != "err" {
		t.Errorf("output %q and %q", got, q.Stderr())
	}
}

// A test run that was killed leaves its namespaces, with processes in them; the next New removes
// them, and those of a living process stay.
func TestStaleNamespacesAreRemoved(t *testing.T) {
	lab := New(t)
	mine := lab.Host("mine")
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	stale := fmt.Sprintf("%s%d-1-a", namePrefix, dead.Process.Pid)
	lab.ip("netns", "add", stale)
	orphan := exec.Command("ip", "netns", "exec", stale, "sleep", "60")
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	waitInside(t, stale)
	New(t)
	if err := orphan.Wait(); err == nil {
		t.Error("the orphan was not killed")
	}
	names, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(names), stale) || !strings.Contains(string(names), mine.ns) {
		t.Errorf("want %s removed and %s kept, have:\n%s", stale, mine.ns, names)
	}
}

// waitInside waits until a process has entered the namespace.
func waitInside(t *testing.T, ns string) {
	t.Helper()
	for range 1000 {
		out, err := exec.Command("ip", "netns", "pids", ns).Output()
		if err != nil {
			t.Fatal(err)
		}
		if len(out) > 0 {
			return
		}
	}
	t.Fatalf("nothing entered %s", ns)
}
