package node

import (
	"context"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/dht"
)

// openTable starts the node's part in the network's table of nodes and rooms.
func (n *Node) openTable(context.Context) (err error) {
	net := n.Network()
	n.table, err = dht.Open(dht.Config{
		Host: n.Host(), Tag: net.Tag, Network: net.ID, Sign: n.Sign, Addrs: n.DialAddrs,
		Zone: n.cfg.Zone, Version: n.Version(), Dir: filepath.Join(n.cfg.Dir, "dht"),
		Serve: n.serve, Found: n.found,
		Now: n.cfg.Now, Logger: n.log, Registerer: n.cfg.Registerer,
	})
	if err != nil {
		return ErrHost.With(err)
	}
	n.atClose(n.table.Close)
	return nil
}

// serve tells the protocols on the facade whether they serve or only ask:
// go-libp2p knows this as reachability.
func (n *Node) serve(serves bool) {
	r := network.ReachabilityPrivate
	if serves {
		r = network.ReachabilityPublic
	}
	n.gate.SetReachability(r)
}

// Table is the network's table of nodes and rooms as those see it who use the
// node: it ends with the node alone. Any goroutine may call its methods.
type Table struct{ of *dht.Table }

// Table returns the network's table, in which nodes and rooms are looked up.
func (n *Node) Table() Table { return Table{n.table} }

// Lookup returns what a node says of itself: [dht.Table.Lookup].
func (t Table) Lookup(ctx context.Context, id peer.ID) (*dht.Record, error) {
	return t.of.Lookup(ctx, id)
}

// Provide says that this node is in a log: [dht.Table.Provide].
func (t Table) Provide(log [32]byte) { t.of.Provide(log) }

// Withdraw ends what one call of Provide began.
func (t Table) Withdraw(log [32]byte) { t.of.Withdraw(log) }

// SetNick says what the node's record names it: [dht.Table.SetNick].
func (t Table) SetNick(nick string) { t.of.SetNick(nick) }

// Heard notes nodes of which a signal came: [dht.Table.Heard].
func (t Table) Heard(ids ...peer.ID) { t.of.Heard(ids...) }

// Servers returns how many nodes that serve the table are known.
func (t Table) Servers() int { return t.of.Servers() }

// Serving reports whether this node serves the table.
func (t Table) Serving() bool { return t.of.Serving() }

// Seek looks a peer up in the table and has it dialled, for those who want to
// talk to one they are not connected with. It waits for the look-up, at most
// half a minute, and not for the dial: [Node.Watch] tells. What was found is
// dialled for ten minutes. Called again while that fails it asks the table anew;
// how often is the caller's to bound. Errors: [dht.ErrNotFound], ctx's.
func (n *Node) Seek(ctx context.Context, id peer.ID) error {
	if n.gate.Admitted(id) {
		return nil
	}
	if n.dialer.failing(id) {
		n.table.Forget(id)
	}
	r, err := n.table.Lookup(ctx, id)
	if err != nil {
		return err
	}
	n.dialer.add(peer.AddrInfo{ID: id, Addrs: toldAddrs(r.Addrs, n.alone())}, fromLookup)
	n.dialer.near(id, n.inZone(r.Zone))
	return nil
}
