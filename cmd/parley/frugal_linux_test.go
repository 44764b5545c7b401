package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/netns"
)

// memoryLimit makes a control group with little memory and returns the file
// that takes the processes in it. Without swap it is the first version's memory
// controller or the second's, whichever the machine has.
func memoryLimit(t *testing.T, bytes int) (procs string) {
	t.Helper()
	for root, limit := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		dir := filepath.Join(root, "parley-test-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) }) // is empty when the test's processes have ended
		if os.WriteFile(filepath.Join(dir, limit), []byte(strconv.Itoa(bytes)), 0o644) == nil {
			return filepath.Join(dir, "cgroup.procs")
		}
	}
	t.Skip("there is no memory controller of control groups here")
	return ""
}

// A light node lives in 64 MB, of which the kernel counts its own buffers and
// the pages of its files too, while it catches up and while messages come. Were
// it too large, the kernel would kill it.
func TestLightNodeLivesInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("20,000 messages")
	}
	const count = 20_000
	host := netns.New(t).Host("a")
	procs := memoryLimit(t, 64<<20)
	busy := newMachine(t, host)
	busy.run("--join", "lobby", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/7001")
	busy.say(t, count)

	small := newMachine(t, host)
	run := host.Command("parley", "run", "--dir", small.dir, "--light", "--no-mdns",
		"--listen", "/ip4/127.0.0.1/tcp/7002", "--join", "lobby", "--peer", "/ip4/127.0.0.1/tcp/7001/p2p/"+busy.id)
	// It goes into the group before it goes into the namespace, which shows no groups.
	small.node = host.StartCommand(exec.Command("sh", append([]string{"-c", `echo $$ >"$0" && exec "$@"`, procs}, run.Args...)...))
	small.node.WaitLine(startWithin, func(s string) bool { return strings.HasPrefix(s, "ready ") })
	small.until("it has caught up", func() bool { return small.holds("lobby") >= count })
	busy.say(t, 2000)
	small.until("it has what came since", func() bool { return small.holds("lobby") >= count+2000 })
	if err := small.node.Stop(10 * time.Second); err != nil {
		t.Errorf("it did not end well: %v", err)
	}
}

// say has the machine send so many messages, and waits until all are stored.
func (m *machine) say(t *testing.T, count int) {
	t.Helper()
	var lines bytes.Buffer
	for i := range count {
		lines.WriteString("message " + strconv.Itoa(i) + strings.Repeat(" and on", 30) + "\n")
	}
	send := m.host.Command("parley", "send", "lobby", "-", "--dir", m.dir)
	send.Stdin = &lines
	if out, err := send.Output(); err != nil || bytes.Count(out, []byte("\n")) != count {
		t.Fatalf("%d of %d messages were sent: %v %s", bytes.Count(out, []byte("\n")), count, err, stderrOf(err))
	}
}

// holds counts the messages of a room.
func (m *machine) holds(room string) int {
	m.t.Helper()
	return strings.Count(m.parley("history", room, "--json", "--limit", "0"), "\n")
}
