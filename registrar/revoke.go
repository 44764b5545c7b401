package registrar

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/audit"
)

// Revoke takes a node out of the network for good, and returns the revocation
// once it is in the registry and in the audit log; every node that has a way
// here hears of it within seconds. reason has 1 to 256 bytes. Errors: those of
// chat.Registry.Revoke, and of the audit log.
//
// spec: 11-registrars §7.4
func (r *Registrar) Revoke(ctx context.Context, p peer.ID, reason string) (chat.ID, error) {
	id, err := r.chat.Registry().Revoke(ctx, p, reason)
	if err != nil {
		return chat.ID{}, err
	}
	rec := audit.Record{Op: audit.OpRevoke, Actor: r.node.ID().String(), Subject: p.String(), Reason: "node", Detail: reason}
	return id, r.record(context.WithoutCancel(ctx), rec)
}
