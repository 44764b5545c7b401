package node

import (
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Bounds of what GossipSub keeps of a peer's subscriptions.
const (
	maxTopics    = 4096 // of one peer: more than its greeting can list
	maxTopicName = 128  // bytes; those of logs have 82
)

// topics bounds the topics that peers may subscribe to: GossipSub keeps all,
// whatever their number and length, for as long as the peer is there. What is
// above is ignored. It belongs to GossipSub's loop, the only one that calls it.
type topics map[peer.ID]map[string]struct{}

// CanSubscribe reports whether this node may join a topic.
func (topics) CanSubscribe(topic string) bool { return len(topic) <= maxTopicName }

// FilterIncomingSubscriptions leaves out what is too long or one too many.
func (t topics) FilterIncomingSubscriptions(p peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	var out []*pb.RPC_SubOpts
	for _, s := range subs {
		if t.take(p, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (t topics) take(p peer.ID, s *pb.RPC_SubOpts) bool {
	topic, mine := s.GetTopicid(), t[p]
	if !s.GetSubscribe() {
		delete(mine, topic)
		return true
	}
	if _, again := mine[topic]; again {
		return true
	}
	if len(topic) > maxTopicName || len(mine) >= maxTopics {
		return false
	}
	if mine == nil {
		mine = make(map[string]struct{})
		t[p] = mine
	}
	mine[topic] = struct{}{}
	return true
}

// forget forgets what a peer subscribed to, when GossipSub does.
func (t topics) forget(p peer.ID) { delete(t, p) }
