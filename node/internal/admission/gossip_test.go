package admission

import (
	"context"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/testnet"
)

// lateGate admits late, the first time.
type lateGate struct {
	Gate
	once  sync.Once
	delay time.Duration
}

func (g *lateGate) Admit(p peer.ID) bool {
	g.once.Do(func() { time.Sleep(g.delay) })
	return g.Gate.Admit(p)
}

// One side may have admitted, and opened its streams, long before the other.
// Without the hold two seconds are enough to leave both deaf for good. Beyond
// the hold's time the connection is made anew.
func TestAOneSidedAdmissionEndsWithGossip(t *testing.T) {
	for _, delay := range []time.Duration{0, 2 * time.Second, 4 * time.Second, 7 * time.Second, 24 * time.Second} {
		t.Run(delay.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, net *testnet.Net) {
				a, b := newSide(t, net, 0), newSide(t, net, 1)
				b.door.gate = &lateGate{Gate: b.gate, delay: delay}
				topicA, subA := join(t, a)
				topicB, subB := join(t, b)
				for range 60 { // who is lost is dialled again, as a node does
					connect(t, b.host, a.host)
					time.Sleep(time.Second)
				}
				if !admitted(a, b) {
					t.Fatal("not admitted")
				}
				hears(t, topicA, subB)
				hears(t, topicB, subA)
			})
		})
	}
}

func join(t *testing.T, s *side) (*pubsub.Topic, *pubsub.Subscription) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ps, err := pubsub.NewGossipSub(ctx, s.gate.Host(),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(func(m *pb.Message) string { return string(m.GetData()) }))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join("room")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	return topic, sub
}

// hears checks that what is published on topic comes to sub.
func hears(t *testing.T, topic *pubsub.Topic, sub *pubsub.Subscription) {
	t.Helper()
	text := "hello from " + t.Name() + time.Now().String()
	if err := topic.Publish(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("nothing heard: %v", err)
		}
		if string(m.Data) == text {
			return
		}
	}
}
