package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/parley-chat/parley/internal/testnet"
	"github.com/parley-chat/parley/internal/wire"
)

// What the table decides reaches Kademlia as reachability on the facade's bus:
// the protocol comes and goes, and peers are told. spec: 09-dht §2
func TestServingIsToldToKademliaAndPeers(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		nodes := []*Node{simNode(t, net, 0)}
		for i := 1; i < 6; i++ {
			nodes = append(nodes, simNode(t, net, i, peersOf(nodes...)))
		}
		for i, n := range nodes {
			waitAdmitted(t, n, slices.Delete(slices.Clone(nodes), i, i+1)...)
		}
		kad := protocol.ID("/parley/" + nodes[0].Network().Tag + "/kad/1.0.0")
		expect := func(want bool, when string) {
			t.Helper()
			own := slices.Contains(nodes[0].Host().Mux().Protocols(), kad)
			told, err := nodes[1].Host().Peerstore().SupportsProtocols(nodes[0].ID(), kad)
			if own != want || (len(told) > 0) != want || err != nil {
				t.Errorf("%s: it serves %v, a peer was told %v %v; want %v", when, own, told, err, want)
			}
		}
		time.Sleep(10 * time.Second)
		expect(true, "a few nodes")
		nodes[0].Table().Heard(lowerThan(nodes[0].ID(), 40)...)
		time.Sleep(40 * time.Second)
		expect(false, "many with lower hashes")
		for _, n := range nodes[1:] { // and now too few servers are left
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		if !nodes[0].Table().Serving() {
			t.Error("a node that knows of no server does not serve")
		}
	})
}

// lowerThan invents n peers whose hashes are lower than id's.
func lowerThan(id peer.ID, n int) (out []peer.ID) {
	self := sha256.Sum256([]byte(id))
	for i := uint64(0); len(out) < n; i++ {
		p := wire.PeerID(sha256.Sum256(binary.BigEndian.AppendUint64(nil, i)))
		if hash := sha256.Sum256([]byte(p)); bytes.Compare(hash[:], self[:]) < 0 {
			out = append(out, p)
		}
	}
	return out
}
