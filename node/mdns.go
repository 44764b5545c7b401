package node

import (
	"context"
	"log/slog"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/node/internal/lan"
)

// mdns is the Discovery of a node that is given none.
type mdns struct{ service *lan.Service }

func newMDNS(log *slog.Logger) Discovery { return mdns{lan.New(log)} }

func (m mdns) Run(ctx context.Context, self DiscoverySelf, found func(peer.AddrInfo)) error {
	return m.service.Run(ctx, lan.Self(self), found)
}

func (m mdns) Status() DiscoveryStatus { return DiscoveryStatus(m.service.Status()) }
