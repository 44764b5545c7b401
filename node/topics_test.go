package node

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/testnet"
)

func subscription(topic string, on bool) *pb.RPC_SubOpts {
	return &pb.RPC_SubOpts{Topicid: &topic, Subscribe: &on}
}

// A member that subscribes without end must not fill the memory of others.
//
// spec: 01-network M7
func TestSubscriptionsOfAPeerAreBounded(t *testing.T) {
	seen := topics{}
	filter := func(p peer.ID, subs ...*pb.RPC_SubOpts) int {
		out, err := seen.FilterIncomingSubscriptions(p, subs)
		if err != nil {
			t.Fatal(err)
		}
		return len(out)
	}
	taken := 0
	for i := range 2 * maxTopics {
		taken += filter("flood", subscription(strconv.Itoa(i), true))
	}
	if taken != maxTopics {
		t.Errorf("%d subscriptions of one peer were taken, want %d", taken, maxTopics)
	}
	if filter("flood", subscription("0", true), subscription("new", true)) != 1 {
		t.Error("what is known may come again, and nothing new")
	}
	if filter("flood", subscription("never there", false), subscription("new", true)) != 1 {
		t.Error("taking back what was never subscribed to made room")
	}
	if filter("flood", subscription("0", false), subscription("new", true)) != 2 {
		t.Error("a topic that was left makes no room")
	}
	if maxTopics != 4096 || filter("long", subscription(strings.Repeat("x", 128), true)) != 1 {
		t.Error("a name of 128 bytes is ignored")
	}
	if filter("other", subscription("x", true), subscription(strings.Repeat("x", 129), true)) != 1 {
		t.Error("another peer, or a name without end")
	}
	seen.forget("flood")
	if filter("flood", subscription("new", true)) != 1 {
		t.Error("who comes again may not subscribe")
	}
}

func TestSubscriptionsAreForgottenWithTheirPeer(t *testing.T) {
	inBubble(t, testnet.Config{}, func(t *testing.T, net *testnet.Net) {
		a := simNode(t, net, 0)
		b := simNode(t, net, 1, peersOf(a))
		waitAdmitted(t, a, b)
		gossips(t, a, b, "x")
		synctest.Wait()
		if got := len(a.topics[b.ID()]); got != 1 {
			t.Errorf("%d topics of the peer are known", got)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		waitGone(t, a, b.ID())
		synctest.Wait()
		if len(a.topics) != 0 {
			t.Error("topics of a peer that is gone are kept")
		}
	})
}
