package node

import (
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/wire"
)

// enoughPeers is how many admitted peers a node looks for by itself: with fewer
// it dials whom others tell of. Neighbours on the LAN, and peers that were met
// or asked for, are dialled in any case.
const enoughPeers = 16

// somePeers are admitted peers to tell p of: those that serve the table first,
// since p may know none, then any.
func (n *Node) somePeers(p peer.ID) []peer.AddrInfo {
	ids := n.gate.Peers()
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	slices.SortStableFunc(ids, func(a, b peer.ID) int { return rank(n.table.Serves(a)) - rank(n.table.Serves(b)) })
	var out []peer.AddrInfo
	for _, id := range ids {
		if addrs := n.mates.get(id).addrs; id != p && len(addrs) > 0 && len(out) < maxAboutPeers {
			out = append(out, peer.AddrInfo{ID: id, Addrs: addrs[:min(len(addrs), maxAboutAddrs)]})
		}
	}
	return out
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
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

// told takes in peers that others know of. They are claims: who is dialled is
// bounded, and hello decides. Who serves the table does not depend on them.
func (n *Node) told(peers []peer.AddrInfo) {
	for _, p := range peers {
		n.seek(p)
	}
}

// seek has a peer dialled that others told of, unless there are enough of peers
// and of servers.
func (n *Node) seek(p peer.AddrInfo) {
	if len(n.gate.Peers()) < enoughPeers || n.table.Scarce() {
		n.dialer.add(p, fromOthers)
	}
}

func encodeAboutPeer(p peer.AddrInfo) []byte {
	author, err := wire.Author(p.ID)
	if err != nil {
		return nil
	}
	b := appendBytes(nil, 1, author[:])
	for _, a := range p.Addrs {
		if raw := a.Bytes(); len(raw) <= maxAboutAddr {
			b = appendBytes(b, 2, raw)
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
			if listenable(addr) {
				p.Addrs = append(p.Addrs, addr)
			}
		case num == 1 || num == 2:
			return errAbout
		}
		return nil
	})
	if err != nil || p.ID == "" {
		return errAbout
	}
	a.peers = append(a.peers, p)
	return nil
}
