package node

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
)

func TestTheClockIsComparedWithTheMedian(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		skews []time.Duration
		want  time.Duration
	}{
		"alone":              {nil, 0},
		"one":                {[]time.Duration{time.Hour}, time.Hour},
		"one of three wrong": {[]time.Duration{time.Hour, time.Second, 0}, time.Second},
		"two of three":       {[]time.Duration{-time.Hour, -2 * time.Hour, 0}, -time.Hour},
		"half":               {[]time.Duration{-time.Hour, time.Second}, time.Second},
	} {
		var s skews
		for i, d := range c.skews {
			s.set(peer.ID(rune('a'+i)), d, now)
		}
		if got := s.median(now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAWrongClockIsToldOnceAndTakenBack(t *testing.T) {
	var out strings.Builder
	n := &Node{}
	n.log = slog.New(slog.NewTextHandler(&out, nil))
	told := func() int { return strings.Count(out.String(), "\n") }
	n.noteSkew("a", 59*time.Second)
	if told() != 0 {
		t.Error("told for less than a minute")
	}
	n.noteSkew("a", -61*time.Second)
	n.noteSkew("b", -61*time.Second)
	if told() != 1 || !strings.Contains(out.String(), "level=WARN") {
		t.Errorf("told %q", out.String())
	}
	n.skew.remove("a")
	n.noteSkew("b", 0)
	if told() != 2 {
		t.Errorf("told %q", out.String())
	}
}

func TestMetricsAreTheNodesOwn(t *testing.T) {
	reg := prometheus.NewRegistry()
	n := startNode(t, func(c *Config) { c.Registerer = reg })
	names := map[string]bool{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, want := range []string{"parley_node_peers_admitted", "parley_node_clock_skew_seconds", "libp2p_rcmgr_limit"} {
		if !names[want] {
			t.Errorf("no metric %s among %v", want, names)
		}
	}
	second := Config{Dir: t.TempDir(), Listen: loopback(), NoMDNS: true, Registerer: reg}
	if _, err := Start(testContext(t), second); !errors.Is(err, ErrConfig) {
		t.Errorf("two nodes on one registry: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	startNode(t, func(c *Config) { c.Registerer = reg }) // one after the other is fine
}

func TestStatusOfALoneNode(t *testing.T) {
	n := startNode(t)
	s := n.Status()
	if s.ID != n.ID() || s.Network != n.Network() || len(s.Addrs) != 3 || s.Admitted+s.Strangers != 0 || s.ClockWrong || s.Discovery != nil {
		t.Errorf("%+v", s)
	}
	if err := n.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
	if n.Err() != nil {
		t.Errorf("Err of a running node: %v", n.Err())
	}
}
