package pulse

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/heartbeat"
	"github.com/parley-chat/parley/node"
)

// start starts a node at a time of its wall clock.
func start(t *testing.T, dir string, now time.Time) *node.Node {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{
		Dir: dir, NoMDNS: true, Zone: "roof", Version: "v7", Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func read(t *testing.T, n *node.Node, signed []byte) *heartbeat.Heartbeat {
	t.Helper()
	h, err := heartbeat.Decode(n.Network().ID, signed)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAHeartbeatTellsOfTheNode(t *testing.T) {
	n := start(t, t.TempDir(), time.Now())
	p := Of(n)
	h := read(t, n, p.Next(0))
	if h.Zone != "roof" || h.Version != "v7" || h.Interval != heartbeat.MinInterval || h.Goodbye || len(h.Addrs) != 1 || h.Time != n.Now().UnixMilli() {
		t.Errorf("%+v", h)
	}
	if h := read(t, n, p.Next(time.Hour)); h.Interval != heartbeat.MaxInterval {
		t.Errorf("the interval is %v", h.Interval)
	}
	if h := read(t, n, p.Goodbye()); !h.Goodbye {
		t.Errorf("%+v", h)
	}
}

// Numbers rise from one run to the next, wherever the clock went, and also where the
// directory is an old copy and the clock is right.
func TestNumbersRiseOverRestarts(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	last := uint64(0)
	run := func(name string, now time.Time) {
		t.Helper()
		n := start(t, dir, now)
		p := Of(n)
		for range 2 {
			h := read(t, n, p.Next(time.Second))
			if h.Seq <= last {
				t.Errorf("%s: %d after %d", name, h.Seq, last)
			}
			last = h.Seq
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, runFile)
	run("first", now)
	run("in the same second", now)
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	run("a day later", now.Add(24*time.Hour))
	run("with the clock set back", now.Add(-time.Hour))
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	run("from a backup", now.Add(48*time.Hour))
	for _, bad := range []string{"", "x", "-1", "18446744073709551615"} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		now = now.Add(1000 * time.Hour)
		run("with a damaged file", now)
	}
}

func TestLoadIsOfTheTimeBetweenTwoLooks(t *testing.T) {
	m := meter{}
	for i, v := range []struct {
		busy, all float64
		want      uint8
	}{{70, 100, 0}, {70, 200, 0}, {120, 300, 50}, {220, 400, 100}, {220, 400, 100}, {0, 500, 0}, {600, 600, 100}} {
		if got := m.take(v.busy, v.all); got != v.want {
			t.Errorf("look %d: %d, want %d", i, got, v.want)
		}
	}
	if busy, all := processors(); all <= 0 || busy < 0 || busy > all {
		t.Errorf("the processors were busy for %v of %v", busy, all)
	}
}
