package node

import (
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// gossipTracer counts what GossipSub does. It is called from pubsub's loop and
// must not block.
type gossipTracer struct {
	m     *metrics
	heard func(peer.ID) // a peer gave a sign of life
	lost  func()        // a message was dropped unseen

	topics topics
	mesh   *mesh
}

func (t *gossipTracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (t *gossipTracer) Graft(p peer.ID, topic string)            { t.mesh.grafted(p, topic) }
func (t *gossipTracer) Prune(p peer.ID, topic string)            { t.mesh.pruned(p, topic) }
func (t *gossipTracer) ValidateMessage(*pubsub.Message)          {}
func (t *gossipTracer) ThrottlePeer(peer.ID)                     {}

func (t *gossipTracer) OnClosedOutboundStream(p peer.ID) {
	t.topics.forget(p)
	t.mesh.gone(p)
}

func (t *gossipTracer) Join(topic string) {
	t.m.topics.Inc()
	t.mesh.joined(topic)
}

func (t *gossipTracer) Leave(topic string) {
	t.m.topics.Dec()
	t.mesh.left(topic)
}

func (t *gossipTracer) DuplicateMessage(msg *pubsub.Message) {
	t.result("duplicate")
	t.mesh.repeated(msg.ReceivedFrom, msg.GetTopic())
}

func (t *gossipTracer) DeliverMessage(*pubsub.Message)       { t.result("delivered") }
func (t *gossipTracer) UndeliverableMessage(*pubsub.Message) { t.result("reader too slow") }

// RejectMessage counts by pubsub's reason, one of a dozen fixed texts.
func (t *gossipTracer) RejectMessage(_ *pubsub.Message, reason string) {
	t.result(reason)
	if reason == pubsub.RejectValidationQueueFull || reason == pubsub.RejectValidationThrottled {
		t.lost()
	}
}

func (t *gossipTracer) RecvRPC(rpc *pubsub.RPC) {
	t.heard(rpc.From())
	t.m.rpcs.WithLabelValues("in").Inc()
	t.m.bytes.WithLabelValues("in").Add(payload(rpc))
}

func (t *gossipTracer) SendRPC(rpc *pubsub.RPC, _ peer.ID) {
	t.m.rpcs.WithLabelValues("out").Inc()
	t.m.bytes.WithLabelValues("out").Add(payload(rpc))
}

func (t *gossipTracer) SendRPCCompleted(*pubsub.RPC, peer.ID, time.Duration) {}
func (t *gossipTracer) DropRPC(*pubsub.RPC, peer.ID)                         { t.m.dropped.Inc() }

func (t *gossipTracer) result(r string) { t.m.gossip.WithLabelValues(r).Inc() }

// payload is the size of the messages in an RPC, topics and framing left out.
func payload(rpc *pubsub.RPC) float64 {
	n := 0
	for _, m := range rpc.GetPublish() {
		n += len(m.GetData())
	}
	return float64(n)
}
