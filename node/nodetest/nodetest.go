// Package nodetest runs real nodes in one process, joined by a simulated network, as httptest does
// for servers. Nothing of a node is replaced but its UDP socket and multicast DNS.
//
//	synctest.Test(t, func(t *testing.T) {
//		c := nodetest.New(t, nodetest.Config{N: 3, Loss: 0.02})
//		c.WaitAdmitted(time.Minute)
//		c.Partition([]int{0, 1}, []int{2})
//		… c.Nodes[0] …
//		c.Heal()
//		c.Restart(1)
//	})
//
// A cluster lives inside a testing/synctest bubble: time passes as soon as everyone waits, so a
// minute costs milliseconds, and time.Sleep is the way to let time pass. It closes itself when the
// bubble's test ends, and panics, with their stacks, if goroutines stay behind.
//
// What runs on top of a node (a messenger, say) is started by Config.App with each node, and ended
// before it, so that it comes along through Restart and Kill.
//
// A Cluster's methods fail the test on errors; they belong to the test's goroutine.
package nodetest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/multiformats/go-multiaddr"
	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/node"
	"github.com/prometheus/client_golang/prometheus"
)

// logEnv is the environment variable that turns the nodes' logs on: debug, info, warn or error.
const logEnv = "NODETEST_LOG"

// startTime bounds the start of a node and of its app, in fake time.
const startTime = 30 * time.Second

// Config says what the cluster is like. Zero fields are defaults; only N must be given.
type Config struct {
	N int // nodes that run from the beginning

	Latency       time.Duration // one way between any two nodes; 5 ms
	BitsPerSecond int           // of each node's link, either way; 100 Mbit/s
	Loss          float64       // probability that a packet is lost, 0…1
	Seed          uint64        // of the loss; 1

	// Registrars, if not 0, makes the network a certified one, of which the first nodes are
	// registrars: node 0 has its root key, and every node a ticket when it starts first.
	Registrars int

	// Configure may change the configuration of node i before each start of it. What it leaves
	// alone: a directory of its own, the simulated network, a registry, discovery of all nodes
	// that packets reach, the open network "lan".
	Configure func(i int, c *node.Config)
	// App starts what runs on node i, after each start of it; it is closed before the node. What it
	// returns with an error is not closed.
	App func(ctx context.Context, i int, n *node.Node) (io.Closer, error)
}

// Cluster is a set of nodes on one network.
type Cluster struct {
	// Nodes are the running nodes by number; nil where one is stopped.
	Nodes []*node.Node
	// Registries are the nodes' metrics since their last start.
	Registries []*prometheus.Registry

	t      testing.TB
	cfg    Config
	net    *testnet.Net
	air    *air
	base   string
	apps   []io.Closer
	before map[string]bool // goroutines older than the cluster
}

// New starts cfg.N nodes. It must be called inside a testing/synctest bubble.
func New(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	if !inBubble() {
		t.Fatal("nodetest: a cluster runs inside testing/synctest only")
	}
	c := &Cluster{t: t, cfg: cfg, base: t.TempDir(), before: goroutines()}
	c.net = testnet.New(testnet.Config{
		Latency: cfg.Latency, BitsPerSecond: cfg.BitsPerSecond, Loss: cfg.Loss, Seed: cfg.Seed,
	})
	c.air = newAir(c.net.Reaches)
	t.Cleanup(c.close)
	if cfg.Registrars > 0 {
		c.certify()
	}
	for range cfg.N {
		c.Add()
	}
	return c
}

// Add starts one more node and returns its number.
func (c *Cluster) Add() int {
	c.t.Helper()
	i := len(c.Nodes)
	c.Nodes = append(c.Nodes, nil)
	c.Registries = append(c.Registries, nil)
	c.apps = append(c.apps, nil)
	c.Start(i)
	return i
}

// Start starts node i, which is stopped.
func (c *Cluster) Start(i int) {
	c.t.Helper()
	if err := c.TryStart(i); err != nil {
		c.t.Fatalf("node %d: %v", i, err)
	}
}

// TryStart is Start for a node that may refuse to.
func (c *Cluster) TryStart(i int) error {
	c.net.Cut(i, false)
	if c.cfg.Registrars > 0 {
		c.enrol(i)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	c.Registries[i] = prometheus.NewRegistry()
	n, err := node.Start(ctx, c.config(i))
	if err != nil {
		return err
	}
	if err := c.startApp(ctx, i, n); err != nil {
		return fmt.Errorf("%w, then %v", err, n.Close())
	}
	c.Nodes[i] = n
	return nil
}

func (c *Cluster) startApp(ctx context.Context, i int, n *node.Node) error {
	if err := n.Ready(ctx); err != nil || c.cfg.App == nil {
		return err
	}
	app, err := c.cfg.App(ctx, i, n)
	if err != nil {
		return err // app may be a nil pointer in an interface
	}
	c.apps[i] = app
	return nil
}

func (c *Cluster) config(i int) node.Config {
	cfg := node.Config{
		Dir:        c.Dir(i),
		Listen:     []multiaddr.Multiaddr{c.net.Addr(i)},
		Logger:     c.logger(i),
		Registerer: c.Registries[i],
		Libp2p:     c.net.Options(i),
		Discovery:  &ears{air: c.air, host: i},
	}
	if c.cfg.Configure != nil {
		c.cfg.Configure(i, &cfg)
	}
	return cfg
}

func (c *Cluster) logger(i int) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(os.Getenv(logEnv))) != nil {
		return nil
	}
	handler := slog.NewTextHandler(c.t.Output(), &slog.HandlerOptions{Level: level})
	return slog.New(handler).With("node", i)
}

// Dir is node i's data directory, running or not.
func (c *Cluster) Dir(i int) string { return filepath.Join(c.base, fmt.Sprintf("node%d", i)) }

// Addr is the address of host i of the network, for nodes and for hosts of the test's own.
func (c *Cluster) Addr(i int) multiaddr.Multiaddr { return c.net.Addr(i) }

// HostOptions makes a libp2p host of the test's own host i of the network, a stranger to the nodes
// for instance. Take numbers above the nodes', and close it before the test ends.
func (c *Cluster) HostOptions(i int) []libp2p.Option { return c.net.Options(i) }

// Stop closes node i in good order.
func (c *Cluster) Stop(i int) {
	c.t.Helper()
	if err := c.stop(i); err != nil {
		c.t.Errorf("node %d: %v", i, err)
	}
}

func (c *Cluster) stop(i int) error {
	var faults []string
	if app := c.apps[i]; app != nil {
		c.apps[i] = nil
		if err := app.Close(); err != nil {
			faults = append(faults, "close its app: "+err.Error())
		}
	}
	if n := c.Nodes[i]; n != nil {
		c.Nodes[i] = nil
		if err := n.Close(); err != nil {
			faults = append(faults, "close: "+err.Error())
		}
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(faults, "; "))
}

// Kill ends node i without a farewell: its cable is cut first, so that the others find out by
// silence alone. Its files end as Close leaves them; a torn store is a test of real processes.
func (c *Cluster) Kill(i int) {
	c.net.Cut(i, true)
	_ = c.stop(i) // a node that cannot say farewell may say so
}

// Restart stops node i, if it runs, and starts it again on its directory.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	c.Stop(i)
	c.Start(i)
}

// close ends everything and checks that nothing stays behind.
func (c *Cluster) close() {
	for i := range c.Nodes {
		c.Stop(i)
	}
	time.Sleep(time.Second) // the last farewells are under way
	c.net.Close()
	c.checkLeaks()
}
