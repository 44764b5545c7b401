package node_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// A room's members who know nobody but a neighbour find each other. More nodes
// than a few take minutes: make soak runs TABLE_NODES.
func TestMembersFindEachOtherFromOneAddress(t *testing.T) {
	sizes := []int{2, 12}
	if text := os.Getenv("TABLE_NODES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 2 {
			t.Fatalf("TABLE_NODES is %q", text)
		}
		sizes = []int{n}
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { membersFindEachOther(t, n) })
		})
	}
}

func membersFindEachOther(t *testing.T, n int) {
	var c *nodetest.Cluster
	c = nodetest.New(t, nodetest.Config{Configure: func(i int, cfg *node.Config) {
		cfg.Discovery, cfg.NoMDNS, cfg.Version = nil, true, "1.2.3"
		if i == 0 {
			cfg.Version = ""
		}
		if i > 0 && c != nil && c.Nodes[i-1] != nil {
			cfg.Peers = []peer.AddrInfo{{ID: c.Nodes[i-1].ID(), Addrs: []ma.Multiaddr{c.Addr(i - 1)}}}
		}
	}})
	log := [32]byte{7}
	members := []int{0, n / 2, n - 1}
	for i := range n {
		c.Add()
		if slices.Contains(members, i) {
			c.Nodes[i].Table().Provide(log)
		}
	}
	began := time.Now()
	c.Wait(2*time.Minute, "members are connected", func() error {
		for _, i := range members {
			for _, j := range members {
				if i != j && !slices.ContainsFunc(c.Nodes[i].Peers(), func(p node.Peer) bool { return p.ID == c.Nodes[j].ID() }) {
					return fmt.Errorf("%d has not met %d", i, j)
				}
			}
		}
		return nil
	})
	t.Logf("members met after %v", time.Since(began))
	c.Wait(2*time.Minute, "records are found", func() error {
		for i, want := range map[int]string{0: "dev", n - 1: "1.2.3"} {
			r, err := c.Nodes[n-1-i].Table().Lookup(context.Background(), c.Nodes[i].ID())
			if err != nil || len(r.Addrs) == 0 || r.Version != want && (i > 0 || r.Version == "") {
				return fmt.Errorf("%v %w", r, err)
			}
		}
		return nil
	})
	if n > 12 {
		time.Sleep(40 * time.Second) // until it is settled who serves
	}
	servers, peers := 0, 0
	for _, v := range c.Nodes {
		if v.Table().Serving() {
			servers++
		}
		peers += len(v.Peers())
	}
	t.Logf("%d serve; %d peers on average; after %v", servers, peers/n, time.Since(began))
}
