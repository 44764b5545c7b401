package nodetest

import (
	"time"

	"github.com/parley-chat/parley/internal/ticket"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// certify makes the certified network: its root key is in node 0's directory.
func (c *Cluster) certify() {
	c.t.Helper()
	if _, err := node.CreateNetwork(c.Dir(0), "nodetest", node.ModeCertified); err != nil {
		c.t.Fatal(err)
	}
	for i := range c.cfg.Registrars {
		m := c.member(i)
		if _, err := node.AddRegistrar(c.Dir(0), m.ID()); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *Cluster) root() *node.NetworkFile {
	c.t.Helper()
	f, err := node.LoadNetwork(c.Dir(0))
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// member makes the directory of node i one of the network.
func (c *Cluster) member(i int) *node.Member {
	c.t.Helper()
	invite := c.root().Invite(nil)
	m, err := node.OpenMember(c.Dir(i), &invite)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// enrol hands node i a ticket, signed by node 0, if it has none.
func (c *Cluster) enrol(i int) {
	c.t.Helper()
	m, issuer := c.member(i), c.member(0)
	if _, found, err := node.LoadTicket(c.Dir(i)); err != nil || found {
		return // one that cannot be read is the start's to tell
	}
	key, err := wire.Author(m.ID())
	if err != nil {
		c.t.Fatal(err)
	}
	by, err := wire.Author(issuer.ID())
	if err != nil {
		c.t.Fatal(err)
	}
	role := uint32(1)
	if i < c.cfg.Registrars {
		role = 2
	}
	now := time.Now().Truncate(time.Second)
	t := ticket.Ticket{
		Network: m.Network().ID, Peer: key, Issuer: by, Role: role,
		Short:     ticket.ShortOf("", ticket.CodeOf([]byte(m.ID()))),
		NotBefore: now.Add(-ticket.Backdate), NotAfter: now.Add(ticket.Life),
	}
	signed, err := t.Sign(issuer.Sign)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := node.SaveTicket(c.Dir(i), c.root().Record, signed); err != nil {
		c.t.Fatal(err)
	}
}
