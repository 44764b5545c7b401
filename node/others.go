package node

import (
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/strict"
	"github.com/parley-chat/parley/internal/wire"
)

// enoughPeers is how many admitted peers a node looks for by itself, and how many
// in each of its rooms: with fewer it dials whom others tell of, or whom the table
// says is in the room. Neighbours on the LAN, and peers that were met or asked
// for, are dialled in any case.
const enoughPeers = 16

// somePeers are admitted peers to tell p of: those that serve the table first,
// since p may know none, then any. Loopback addresses are told on this machine
// alone.
func (n *Node) somePeers(c network.Conn) []peer.AddrInfo {
	p, loopback := c.RemotePeer(), manet.IsIPLoopback(c.RemoteMultiaddr())
	var out []peer.AddrInfo
	for _, id := range serversFirst(n.gate.Peers(), n.table.Known()) {
		if id == p || len(out) == maxAboutPeers {
			continue
		}
		if addrs := cut(dialable(n.mates.get(id).addrs, loopback), maxAboutAddrs); len(addrs) > 0 {
			out = append(out, peer.AddrInfo{ID: id, Addrs: addrs})
		}
	}
	return out
}

// serversFirst shuffles ids, those of servers before the others.
func serversFirst(ids, servers []peer.ID) []peer.ID {
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	first := 0
	for i, id := range ids {
		if slices.Contains(servers, id) {
			ids[first], ids[i] = id, ids[first]
			first++
		}
	}
	return ids
}

// askAgain asks one peer anew while too few servers of the table are known: all
// that were told of may have gone, or serve no more.
func (n *Node) askAgain() {
	ids := n.gate.Peers()
	if len(ids) == 0 || !n.table.Scarce() {
		return
	}
	p := ids[rand.N(len(ids))]
	n.wg.Go(func() { n.askAbout(p) })
}

// told takes in peers that another knows of, and has them dialled unless there
// are enough of peers and of servers. They are claims: who is dialled is bounded,
// and hello decides. Who serves the table does not depend on them.
func (n *Node) told(peers []peer.AddrInfo, teller peer.ID) {
	for _, p := range peers {
		if len(n.gate.Peers()) < enoughPeers || n.table.Scarce() {
			n.dialer.told(p, teller)
		}
	}
}

// found has a peer dialled that the table says is in a log of ours, unless enough
// who are in it are here: however many others are.
func (n *Node) found(log [32]byte, p peer.AddrInfo) {
	if len(n.pubsub.ListPeers(wire.LogTopic(n.Network().Tag, log))) < enoughPeers {
		n.dialer.add(peer.AddrInfo{ID: p.ID, Addrs: toldAddrs(p.Addrs, n.alone())}, fromTable)
	}
}

// DialAddrs returns the addresses of [Node.Addrs], the most useful to others first:
// records and signals hold a few of them.
func (n *Node) DialAddrs() []ma.Multiaddr { return inOrder(n.host.Addrs(), nil) }

// alone reports whether this node is reached from its own machine alone: then
// loopback addresses in the table may be of use.
func (n *Node) alone() bool {
	return !slices.ContainsFunc(n.host.Addrs(), func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) })
}

func encodeAboutPeer(p peer.AddrInfo) []byte {
	author, err := wire.Author(p.ID)
	if err != nil {
		return nil
	}
	b := strict.AppendBytes(nil, 1, author[:])
	for _, a := range p.Addrs {
		if raw := a.Bytes(); len(raw) <= maxAboutAddr {
			b = strict.AppendBytes(b, 2, raw)
		}
	}
	return b
}

// addPeer reads one peer of an answer. What is over the limits ends the answer.
func (a *about) addPeer(b []byte) error {
	if len(a.peers) == maxAboutPeers {
		return errAbout
	}
	var p peer.AddrInfo
	err := wire.Fields(b, func(num protowire.Number, _ uint64, v []byte) error {
		switch {
		case num == 1 && len(v) == 32:
			p.ID = wire.PeerID([32]byte(v))
		case num == 2 && len(v) <= maxAboutAddr && len(p.Addrs) < maxAboutAddrs:
			addr, err := ma.NewMultiaddrBytes(v)
			if err != nil {
				return err
			}
			p.Addrs = append(p.Addrs, addr)
		case num == 1 || num == 2:
			return errAbout
		}
		return nil
	})
	if err != nil || p.ID == "" {
		return errAbout
	}
	p.Addrs = toldAddrs(p.Addrs, a.loopback)
	a.peers = append(a.peers, p)
	return nil
}
