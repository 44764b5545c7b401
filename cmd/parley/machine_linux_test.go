package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/netns"
)

// The machines of these tests are namespaces on a bridge without a way out. On them runs the real
// program, which testscript puts into PATH: parley run, and the other commands as a person types
// them.

const (
	// startWithin is for a loaded machine: a start takes 0.2 s alone.
	startWithin = 20 * time.Second
	// followTime is three times what the product promises for following a change of the network.
	followTime = 15 * time.Second
)

// machine is one computer on the LAN with one data directory.
type machine struct {
	t    *testing.T
	host *netns.Host
	dir  string
	node *netns.Proc
	id   string // peer ID, after run
	addr string // a QUIC address with the peer ID for --peer, after run
}

func newMachine(t *testing.T, h *netns.Host) *machine {
	t.Helper()
	return &machine{t: t, host: h, dir: filepath.Join(t.TempDir(), "d")}
}

// run starts the machine's node and waits until it is ready.
func (m *machine) run(args ...string) {
	m.t.Helper()
	m.node = m.host.Start("parley", append([]string{"run", "--dir", m.dir, "--log-level", "debug"}, args...)...)
	line := m.node.WaitLine(startWithin, func(s string) bool { return strings.HasPrefix(s, "ready ") })
	var r ready
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &r); err != nil {
		m.t.Fatalf("%q: %v", line, err)
	}
	m.id = r.PeerID
	if a := m.host.Addr(); a.IsValid() {
		m.addr = "/ip4/" + a.String() + "/udp/7330/quic-v1/p2p/" + m.id
	}
}

// parley runs a command on the machine and returns what it prints.
func (m *machine) parley(args ...string) string {
	m.t.Helper()
	return m.host.Run("parley", append(args, "--dir", m.dir)...)
}

// send says text in the room and returns the event's id.
func (m *machine) send(room, text string) string {
	m.t.Helper()
	return strings.TrimSpace(m.parley("send", room, text))
}

// tail starts parley tail in the room, from the newest messages on.
func (m *machine) tail(room string) *netns.Proc {
	m.t.Helper()
	return m.host.Start("parley", "tail", room, "--json", "--history", "100", "--dir", m.dir)
}

// hears waits until the tail prints the message.
func (m *machine) hears(tail *netns.Proc, id string) {
	m.t.Helper()
	tail.WaitLine(followTime, func(line string) bool { return strings.Contains(line, `"id":"`+id+`"`) })
}

// jsonLines decodes the lines that a command prints with --json.
func jsonLines[T any](m *machine, args ...string) []T {
	m.t.Helper()
	var all []T
	for line := range strings.Lines(m.parley(append(args, "--json")...)) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			m.t.Fatalf("%s: %q: %v", strings.Join(args, " "), line, err)
		}
		all = append(all, v)
	}
	return all
}

// peers lists the IDs of the machine's admitted peers.
func (m *machine) peers() []string {
	m.t.Helper()
	var ids []string
	for _, p := range jsonLines[peerRow](m, "peers") {
		ids = append(ids, p.PeerID)
	}
	return ids
}

// hello counts the machine's handshakes by result.
func (m *machine) hello() map[string]uint64 {
	m.t.Helper()
	counts := map[string]uint64{}
	for result, text := range jsonLines[statusRow](m, "status")[0].Discovery.Hello {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			m.t.Fatal(err)
		}
		counts[result] = n
	}
	return counts
}

// meets waits until the machine has admitted exactly the others, and returns how long that took.
func (m *machine) meets(others ...*machine) time.Duration {
	m.t.Helper()
	var want []string
	for _, o := range others {
		want = append(want, o.id)
	}
	slices.Sort(want)
	return m.until("it has admitted "+strings.Join(want, " "), func() bool {
		have := m.peers()
		slices.Sort(have)
		return slices.Equal(have, want)
	})
}

// until asks again and again, followTime long, and returns how long it took. Each question runs a
// program, so asking does not spin.
func (m *machine) until(awaited string, yes func() bool) time.Duration {
	m.t.Helper()
	begin := time.Now()
	for !yes() {
		if time.Since(begin) > followTime {
			m.t.Fatalf("within %v: %s; peers %v, handshakes %v", followTime, awaited, m.peers(), m.hello())
		}
	}
	return time.Since(begin).Round(time.Millisecond)
}
