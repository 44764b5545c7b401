package registrar

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// noteLogins has the audit log tell of each member that hello admits at this node, and
// the directory of those whose last connection ended.
// It follows the node's peers: who comes and goes faster than the log takes it is
// told of once.
func (r *Registrar) noteLogins() {
	for c := range r.node.Watch(r.ctx) {
		if !c.Admitted {
			if key, err := wire.Author(c.ID); err == nil {
				r.directory.Lost(key)
			}
			continue
		}
		rec := audit.Record{Op: audit.OpLogin, Actor: c.ID.String()}
		if err := r.audit.Write(r.ctx, r.complete(whereIs(r.node, c.ID), rec)); err != nil && r.ctx.Err() == nil {
			r.log.Error("a login is not in the audit log", "peer", c.ID, "err", err)
		}
	}
}

// whereIs tells where an admitted peer is connected from.
func whereIs(n *node.Node, p peer.ID) caller {
	for _, c := range n.Host().Network().ConnsToPeer(p) {
		return callerAt(c.RemoteMultiaddr())
	}
	return caller{}
}
