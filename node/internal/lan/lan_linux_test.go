package lan

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/netns"
)

// lanNode is a child process on a host that announces a peer made of a seed.
type lanNode struct {
	*netns.Proc
	seed  string
	stdin io.WriteCloser
	from  int // lines before it were seen
}

func startNode(t *testing.T, h *netns.Host, seed, tag string) *lanNode {
	t.Helper()
	cmd := h.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+seed+" "+tag+
		" /ip4/0.0.0.0/tcp/7330 /ip4/0.0.0.0/udp/7330/quic-v1 /ip6/::/udp/7330/quic-v1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &lanNode{Proc: h.StartCommand(cmd), seed: seed, stdin: stdin}
}

// finds waits until n reports the peer of seed at ip, in a line after the last
// mark, and returns how long it took.
func (n *lanNode) finds(within time.Duration, seed string, ip fmt.Stringer) time.Duration {
	began := time.Now()
	skip := n.from
	n.WaitLine(within, func(text string) bool {
		if skip--; skip >= 0 {
			return false
		}
		var l childLine
		_ = json.Unmarshal([]byte(text), &l)
		return l.Found == testPeer(seed).String() &&
			slices.Contains(l.Addrs, "/ip4/"+ip.String()+"/tcp/7330") &&
			slices.Contains(l.Addrs, "/ip4/"+ip.String()+"/udp/7330/quic-v1")
	})
	return time.Since(began)
}

// mark makes finds ignore what was reported so far.
func (n *lanNode) mark() { n.from = len(n.Lines()) }

// status waits for a status that ok accepts.
func (n *lanNode) status(t *testing.T, ok func(Status) bool) {
	t.Helper()
	n.mark()
	skip := n.from
	ask := func() {
		if _, err := io.WriteString(n.stdin, "status\n"); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	n.WaitLine(5*time.Second, func(text string) bool {
		if skip--; skip >= 0 {
			return false
		}
		var l childLine
		_ = json.Unmarshal([]byte(text), &l)
		if l.Status == nil {
			return false
		}
		if ok(*l.Status) {
			return true
		}
		ask()
		return false
	})
}

func armed(st Status) bool {
	return slices.Equal(st.Interfaces, []string{"eth0"}) && st.LastError == ""
}

func nothingUp(st Status) bool {
	return len(st.Interfaces) == 0 && st.LastError == "no network interface is up"
}

func TestThreeFindEachOther(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	hosts := []*netns.Host{lab.Host("a"), lab.Host("b"), lab.Host("c")}
	seeds := []string{"a", "b", "c"}
	var nodes []*lanNode
	for i, h := range hosts {
		nodes = append(nodes, startNode(t, h, seeds[i], testTag))
	}
	for i, n := range nodes {
		for j, h := range hosts {
			if i != j {
				t.Logf("%s found %s after %v", seeds[i], seeds[j], n.finds(5*time.Second, seeds[j], h.Addr()))
			}
		}
	}
	nodes[0].status(t, func(st Status) bool { return armed(st) && st.Heard >= 2 && st.OtherNetworks == nil })
	for _, n := range nodes {
		if err := n.Stop(3 * time.Second); err != nil {
			t.Errorf("stopping: %v", err)
		}
		if n.Stderr() != "" {
			t.Errorf("standard error: %s", n.Stderr())
		}
	}
}

func TestInterfaceThatComesLate(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	early, late := lab.Host("early"), lab.Offline("late")
	a := startNode(t, early, "a", testTag)
	b := startNode(t, late, "b", testTag)
	a.status(t, armed)
	b.status(t, nothingUp)
	late.Attach()
	t.Logf("found after %v", a.finds(5*time.Second, "b", late.Addr()))
	t.Logf("found the other way after %v", b.finds(5*time.Second, "a", early.Addr()))
	b.status(t, armed)
}

func TestAddressThatChanges(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	one, two := lab.Host("one"), lab.Host("two")
	a := startNode(t, one, "a", testTag)
	b := startNode(t, two, "b", testTag)
	a.finds(5*time.Second, "b", two.Addr())
	b.finds(5*time.Second, "a", one.Addr())
	now := two.Renumber()
	t.Logf("the new address was heard after %v", a.finds(5*time.Second, "b", now))
	b.mark()
	one.Down()
	one.Renumber()
	one.Up()
	t.Logf("after down, renumbering and up, after %v", b.finds(5*time.Second, "a", one.Addr()))
}

// The address stays the same while the cable is out: only the carrier tells.
func TestCablePulledAndPutBack(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	one, two := lab.Host("one"), lab.Host("two")
	a := startNode(t, one, "a", testTag)
	b := startNode(t, two, "b", testTag)
	a.finds(5*time.Second, "b", two.Addr())
	two.Unplug()
	b.status(t, nothingUp)
	a.mark()
	two.Plug()
	t.Logf("found again after %v", a.finds(5*time.Second, "b", two.Addr()))
}

// A node that ended properly and starts anew is announced under a new name.
func TestGoodbyeAndReturn(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	one, two := lab.Host("one"), lab.Host("two")
	a := startNode(t, one, "a", testTag)
	b := startNode(t, two, "b", testTag)
	a.finds(5*time.Second, "b", two.Addr())
	if err := b.Stop(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	a.mark()
	_ = startNode(t, two, "b", testTag)
	t.Logf("the one that came back was found after %v", a.finds(5*time.Second, "b", two.Addr()))
}

func TestTwoNetworksOnOneLANStayApart(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	hosts := []*netns.Host{lab.Host("a"), lab.Host("b"), lab.Host("c")}
	a := startNode(t, hosts[0], "a", testTag)
	b := startNode(t, hosts[1], "b", "deadbeef")
	c := startNode(t, hosts[2], "c", testTag)
	a.finds(5*time.Second, "c", hosts[2].Addr())
	c.finds(5*time.Second, "a", hosts[0].Addr())
	a.status(t, func(st Status) bool { return slices.Equal(st.OtherNetworks, []string{"deadbeef"}) })
	for _, line := range b.Lines() {
		t.Errorf("the other network found %s", line)
	}
	if strings.Contains(strings.Join(a.Lines(), "\n"), testPeer("b").String()) {
		t.Error("a peer of another network was reported")
	}
}

// A process that was suspended answers again at once.
func TestStoppedAndContinued(t *testing.T) {
	t.Parallel()
	lab := netns.New(t)
	one, two := lab.Host("one"), lab.Host("two")
	a := startNode(t, one, "a", testTag)
	a.status(t, armed)
	a.Signal(syscall.SIGSTOP)
	b := startNode(t, two, "b", testTag)
	b.status(t, armed)
	a.Signal(syscall.SIGCONT)
	a.finds(5*time.Second, "b", two.Addr())
	b.finds(5*time.Second, "a", one.Addr())
}
