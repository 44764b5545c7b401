package dht

import (
	"context"
	"slices"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/parley-chat/parley/internal/budget"
)

// What one peer may ask of a server. A provider takes 150 bytes of disk for two
// hours: at this rate 1.4 MB. spec: 09-dht §6
const (
	asksPerSecond = 100
	asksAtOnce    = 1000
	putsPerSecond = 1
	putsAtOnce    = 2 * maxRooms
)

// refusedType is a message that no handler takes: the stream is reset.
const refusedType = pb.Message_MessageType(-1)

type budgets struct {
	asks, puts *budget.Budgets[peer.ID]
	holds      func(ctx context.Context, key string) bool // whether a record is stored
}

func newBudgets(holds func(context.Context, string) bool) *budgets {
	return &budgets{
		budget.New[peer.ID](asksPerSecond, asksAtOnce), budget.New[peer.ID](putsPerSecond, putsAtOnce), holds,
	}
}

// charge is called with each request before it is handled, and spoils those of
// peers that ask too much or bring a record that is not their own: so each may
// have stored one, however many keys he makes. What takes the place of a record
// that is stored is welcome from all: who looks one up corrects servers that
// have an older one, and other implementations fail if they cannot.
func (b *budgets) charge(ctx context.Context, s network.Stream, req *pb.Message) {
	p, of := s.Conn().RemotePeer(), b.asks
	switch req.Type {
	case pb.Message_PUT_VALUE:
		of = b.puts
		key := string(req.GetKey())
		if own, err := peerKey(p); (err != nil || key != own) && !b.holds(ctx, key) {
			req.Type = refusedType
		}
	case pb.Message_ADD_PROVIDER:
		of = b.puts
		if !oneProvider(req.GetProviderPeers()) {
			req.Type = refusedType
		}
	}
	if !of.Take(p, 1) {
		req.Type = refusedType
	}
}

// oneProvider reports whether a request names one node, as those do that name
// themselves, with few addresses: each of them is read and kept.
func oneProvider(peers []*pb.Message_Peer) bool {
	if len(peers) != 1 || len(peers[0].GetAddrs()) > maxNamed {
		return false
	}
	return !slices.ContainsFunc(peers[0].GetAddrs(), func(a []byte) bool { return len(a) > maxAddr })
}

// dialable leaves out what is not an IP address, for names would be asked of
// servers outside, and loopback addresses, if there are others: they lead
// nowhere from another machine. Of the rest 32 are enough.
func dialable(addrs []ma.Multiaddr) []ma.Multiaddr {
	var out, loopback []ma.Multiaddr
	for _, a := range addrs {
		switch {
		case len(a) == 0 || a[0].Protocol().Code != ma.P_IP4 && a[0].Protocol().Code != ma.P_IP6:
		case manet.IsIPLoopback(a):
			loopback = append(loopback, a)
		default:
			out = append(out, a)
		}
	}
	if out == nil {
		out = loopback
	}
	return out[:min(len(out), maxNamed)]
}
