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
		Host: n.Host(), Tag: net.Tag, Network: net.ID, Sign: n.Sign, Addrs: n.addrsInOrder,
		Zone: n.cfg.Zone, Dir: filepath.Join(n.cfg.Dir, "dht"),
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

// Table returns the network's table, in which nodes and rooms are looked up.
func (n *Node) Table() *dht.Table { return n.table }

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
