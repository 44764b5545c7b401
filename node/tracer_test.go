package node

import (
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

func TestDroppedGossipIsTold(t *testing.T) {
	n := &Node{lost: make(chan struct{}, 1)}
	tracer := &gossipTracer{m: newMetrics(n), lost: n.gossipLost}
	tracer.RejectMessage(nil, pubsub.RejectValidationIgnored)
	select {
	case <-n.GossipLost():
		t.Error("what was ignored was seen")
	default:
	}
	tracer.RejectMessage(nil, pubsub.RejectValidationQueueFull)
	tracer.RejectMessage(nil, pubsub.RejectValidationThrottled) // does not block
	select {
	case <-n.GossipLost():
	default:
		t.Error("not told")
	}
}
