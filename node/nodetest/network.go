package nodetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/parley-chat/parley/node"
)

// look is how often a wait looks, in fake time.
const look = 20 * time.Millisecond

// Partition splits the network: nodes reach only those of their own group; those that no group
// names form one together. It replaces an earlier partition.
func (c *Cluster) Partition(groups ...[]int) { c.net.Partition(groups...) }

// Heal ends the partition.
func (c *Cluster) Heal() { c.net.Heal() }

// Cut pulls node i's cable (on) or plugs it in again. The node goes on running.
func (c *Cluster) Cut(i int, on bool) { c.net.Cut(i, on) }

// SetLoss changes the probability that a packet is lost, 0…1.
func (c *Cluster) SetLoss(p float64) { c.net.SetLoss(p) }

// SetLatency sets the one-way latency between two nodes.
func (c *Cluster) SetLatency(a, b int, d time.Duration) { c.net.SetLatency(a, b, d) }

// Traffic returns how many packets node i has sent so far, by all its starts, and the bytes in them,
// the 28 of IP and UDP included.
func (c *Cluster) Traffic(i int) (packets, bytes uint64) {
	s := c.net.Stats(i)
	return s.Sent, s.Bytes + 28*s.Sent
}

// WaitAdmitted waits, at most d, until every two running nodes that reach each other have admitted
// each other.
func (c *Cluster) WaitAdmitted(d time.Duration) {
	c.t.Helper()
	c.Wait(d, "all nodes admit each other", func() error {
		var missing []string
		for i, n := range c.Nodes {
			if n == nil {
				continue
			}
			for _, j := range c.strangers(i, n) {
				missing = append(missing, fmt.Sprintf("%d→%d", i, j))
			}
		}
		if missing == nil {
			return nil
		}
		return fmt.Errorf("not admitted: %s", strings.Join(missing, " "))
	})
}

// WaitGone waits, at most d, until node i has no admitted peer among the nodes others.
func (c *Cluster) WaitGone(d time.Duration, i int, others ...peer.ID) {
	c.t.Helper()
	c.Wait(d, fmt.Sprintf("node %d sees that they are gone", i), func() error {
		for _, p := range c.Nodes[i].Peers() {
			if slices.Contains(others, p.ID) {
				return fmt.Errorf("%v is still there", p.ID)
			}
		}
		return nil
	})
}

// Wait looks until check returns nil, at most d; then the test fails with what was awaited and the
// last answer.
func (c *Cluster) Wait(d time.Duration, awaited string, check func() error) {
	c.t.Helper()
	err := check()
	for deadline := time.Now().Add(d); err != nil && time.Now().Before(deadline); err = check() {
		time.Sleep(look)
	}
	if err != nil {
		c.t.Fatalf("within %v: %s: %v", d, awaited, err)
	}
}

// strangers lists the running nodes that node i reaches and has not admitted.
func (c *Cluster) strangers(i int, n *node.Node) []int {
	admitted := make(map[peer.ID]bool)
	for _, p := range n.Peers() {
		admitted[p.ID] = true
	}
	var out []int
	for j, other := range c.Nodes {
		if j != i && other != nil && c.net.Reaches(i, j) && !admitted[other.ID()] {
			out = append(out, j)
		}
	}
	return out
}
