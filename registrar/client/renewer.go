package client

import (
	"context"
	"crypto/sha256"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/node"
)

// Admitter renews tickets; it is a node.Admitter.
type Admitter struct{}

var _ node.Admitter = Admitter{}

// Renew has the node's ticket renewed by one of its network's registrars and shows
// the new one from then on. They are asked in an order of the node's own, so that
// many nodes spread over them. Errors: the last registrar's; node.ErrTicket
// where there is no ticket to renew.
func (Admitter) Renew(ctx context.Context, n *node.Node) error {
	t, ok := n.Ticket()
	if !ok {
		return node.ErrTicket.Withf("there is no ticket to renew")
	}
	err := error(ErrUnreachable)
	for _, p := range order(n.ID(), n.Registrars()) {
		if p == n.ID() {
			continue
		}
		if err = renewAt(ctx, n, p, t.Signed); err == nil || ctx.Err() != nil {
			return err
		}
		n.Logger().Debug("a registrar did not renew the ticket", "peer", p, "err", err)
	}
	return err
}

func renewAt(ctx context.Context, n *node.Node, p peer.ID, signed []byte) error {
	defer n.Spare(p)()
	c := OverStream(n.PublicHost(), p, n.Network().Tag)
	defer c.Close()
	g, err := c.Register(ctx, Applicant{Network: n.Network().ID, Peer: n.ID(), Sign: n.Sign, Zone: n.Zone(), Ticket: signed})
	if err != nil {
		return err
	}
	return n.SetTicket(g.Record, g.Ticket)
}

// order sorts registrars by rendezvous hashing: by what the hash of both peer IDs
// is, so that each node has an order of its own and a registrar that goes moves
// nobody but those who used it.
func order(self peer.ID, registrars []peer.ID) []peer.ID {
	weight := func(p peer.ID) [32]byte { return sha256.Sum256([]byte(self + p)) }
	out := slices.Clone(registrars)
	slices.SortFunc(out, func(a, b peer.ID) int {
		wa, wb := weight(a), weight(b)
		return slices.Compare(wa[:], wb[:])
	})
	return out
}
