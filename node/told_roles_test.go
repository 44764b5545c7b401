package node

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/testnet"
)

// Whom others tell of nobody has met: he does not decide who serves. spec: 09-dht §2
func TestWhoIsToldOfPushesNobodyOut(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		nodes := []*Node{simNode(t, net, 0)}
		for i := 1; i < 6; i++ {
			nodes = append(nodes, simNode(t, net, i, peersOf(nodes...)))
		}
		waitAdmitted(t, nodes[0], nodes[1:]...)
		time.Sleep(10 * time.Second)
		var told []peer.AddrInfo
		for _, id := range lowerThan(nodes[0].ID(), 40) {
			told = append(told, peer.AddrInfo{ID: id})
		}
		nodes[0].told(told, nodes[1].ID())
		time.Sleep(time.Minute)
		if !nodes[0].Table().Serving() {
			t.Error("invented nodes end that it serves")
		}
	})
}
