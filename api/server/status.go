package server

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/node"
)

func (s *service) ListPeers(context.Context, *v1.ListPeersRequest) (*v1.ListPeersResponse, error) {
	res := &v1.ListPeersResponse{}
	for _, p := range s.node.Peers() {
		out := &v1.Peer{
			PeerId: p.ID.String(), Nick: s.chat.Nick(p.ID),
			Transport: p.Transport, RttMs: float64(p.RTT.Microseconds()) / 1000, Zone: p.Zone,
		}
		for _, addr := range p.Addrs {
			out.Addrs = append(out.Addrs, addr.String())
		}
		res.Peers = append(res.Peers, out)
	}
	slices.SortFunc(res.Peers, func(a, b *v1.Peer) int { return cmp.Compare(a.PeerId, b.PeerId) })
	return res, nil
}

func (s *service) Status(ctx context.Context, _ *v1.StatusRequest) (*v1.StatusResponse, error) {
	rooms, err := s.chat.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	st, id := s.node.Status(), s.node.ID()
	res := &v1.StatusResponse{
		PeerId: id.String(), Nick: s.chat.Nick(id),
		Network: st.Network.Name, NetworkId: hex.EncodeToString(st.Network.ID[:]), Mode: st.Network.Mode.String(),
		Dir: s.node.Dir(), Peers: uint32(st.Admitted),
		StartedMs: st.Since.UnixMilli(), Cursor: s.chat.LastCursor(), Version: s.version,
		ClockAheadMs: st.ClockAhead.Milliseconds(), ClockWrong: st.ClockWrong,
		Discovery: discoveryOf(st), Zone: s.node.Zone(),
	}
	res.Discovery.TableServers, res.Discovery.TableServes = uint32(s.node.Table().Servers()), s.node.Table().Serving()
	if rev, revoked := s.chat.Registry().Revoked(id); revoked {
		res.Revoked = rev.Reason
	}
	for _, r := range rooms {
		if r.Joined {
			res.Rooms++
		}
	}
	for _, addr := range st.Addrs {
		res.Addrs = append(res.Addrs, addr.String()+"/p2p/"+id.String())
	}
	return res, nil
}

func discoveryOf(st node.Status) *v1.Discovery {
	out := &v1.Discovery{
		Known: uint32(st.Known), DialFailures: st.DialFailures, DialError: st.LastDialError, Hello: st.Hello,
	}
	if d := st.Discovery; d != nil {
		out.Multicast = true
		out.Interfaces, out.MulticastError = d.Interfaces, d.LastError
		out.Heard, out.OtherNetworks = d.Heard, d.OtherNetworks
	}
	return out
}
