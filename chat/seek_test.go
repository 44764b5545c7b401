package chat_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// Two who never met, and hear nothing of each other, know a third. He told them
// of each other when no packet could pass between them; that is long forgotten
// when one has something to say to the other.
func TestADirectChatFindsOneWhoIsNotConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{t: t, ms: make([]*chat.Messenger, 3), regs: nil}
		p.regs = append(p.regs, nil, nil, nil)
		p.Cluster = nodetest.New(t, nodetest.Config{App: p.open, Configure: func(i int, c *node.Config) {
			c.Discovery, c.NoMDNS = nil, true
			if i > 0 {
				c.Peers = []peer.AddrInfo{{ID: p.Nodes[0].ID(), Addrs: []ma.Multiaddr{p.Addr(0)}}}
			}
		}})
		p.Add()
		p.SetLatency(1, 2, time.Hour)
		p.Add()
		p.Add()
		time.Sleep(20*time.Minute + 10*time.Second) // Kademlia itself dials whom it hears of, every two minutes
		p.SetLatency(1, 2, 5*time.Millisecond)
		if knows(p.Nodes[1], p.Nodes[2].ID()) {
			t.Fatal("they met already")
		}
		p.tell(1, 2, "where are you?")
		p.waitTold(15*time.Second, 2, 1, "where are you?")
		p.waitReach(15*time.Second, 1, 2, chat.StateDelivered)
	})
}

func knows(n *node.Node, id peer.ID) bool {
	for _, p := range n.Peers() {
		if p.ID == id {
			return true
		}
	}
	return false
}
