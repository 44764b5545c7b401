package chat_test

import (
	"bufio"
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/registry"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// scribe writes into the registry by hand.
type scribe struct {
	t     *testing.T
	n     *node.Node
	topic *pubsub.Topic
}

func newScribe(t *testing.T, n *node.Node) *scribe {
	t.Helper()
	topic, err := n.PubSub().Join(wire.LogTopic(n.Network().Tag, event.RegistryLog(n.Network().ID)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = topic.Close() })
	return &scribe{t, n, topic}
}

// revocation is a batch that revokes a peer, by the scribe's node.
func (s *scribe) revocation(whom event.Author) *event.Batch {
	s.t.Helper()
	r := registry.Revocation{Peer: whom, Reason: "spite"}
	payload, err := r.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	self, err := wire.Author(s.n.ID())
	if err != nil {
		s.t.Fatal(err)
	}
	d := event.Draft{HLC: event.HLCAt(time.Now()), Kind: registry.KindRevocation, Payload: payload}
	b, err := event.Seal(event.RegistryLog(s.n.Network().ID), self, 0, event.ID{}, []event.Draft{d}, s.n.Sign)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *scribe) publish(payload []byte) {
	s.t.Helper()
	if err := s.topic.Publish(s.t.Context(), payload); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
}

// A member's words in the registry are nobody's: they are ignored, for the next
// record may make it a registrar. So is a registrar's revocation as long as its
// content is missing.
//
// spec: 11-registrars M40
func TestTheRegistryIsTheRegistrars(t *testing.T) {
	for name, test := range map[string]struct {
		registrars int
		counts     bool
	}{"a member": {1, false}, "a registrar": {2, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := gatherBut(t, 4, 1, nodetest.Config{Registrars: test.registrars})
				whom := p.ms[3].ID()
				key, err := wire.Author(whom)
				if err != nil {
					t.Fatal(err)
				}
				s := newScribe(t, p.Nodes[1])
				time.Sleep(3 * time.Second)
				b := s.revocation(key)
				erased, err := b.Erase(0)
				if err != nil {
					t.Fatal(err)
				}
				revoked := func(i int) bool {
					_, found := p.ms[i].Registry().Revoked(whom)
					return found
				}
				s.publish(erased)
				if revoked(0) || revoked(2) {
					t.Error("revoked by an event without content")
				}
				s.publish(b.Payload())
				if revoked(0) != test.counts || revoked(2) != test.counts {
					t.Errorf("revoked at the registrar: %v, at a member: %v", revoked(0), revoked(2))
				}
				for _, i := range []int{0, 2} {
					if n := p.metric(i, "parley_delivery_batches_ignored_total", "author"); n == 0 {
						t.Errorf("node %d has ignored nothing", i)
					}
				}
			})
		})
	}
}

// Who names a revocation in its hello is asked for it at once, also one that does
// not take part in the registry otherwise.
//
// spec: 11-registrars M43
func TestTheRevocationOfAHelloIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gatherBut(t, 3, 1, nodetest.Config{Registrars: 1})
		newest := event.ID{1, 2, 3}
		asked := make(chan struct{}, 16)
		n := p.Nodes[1]
		n.Host().SetStreamHandler(wire.LogProtocol(n.Network().Tag, wire.ForFetch), func(s network.Stream) {
			defer s.Reset()
			if req, err := wire.ReadFrame(bufio.NewReader(s), 1<<10); err == nil && bytes.Contains(req, newest[:]) {
				asked <- struct{}{}
			}
		})
		n.SetRevocations(node.Revocations{Newest: newest})
		p.Restart(2)
		select {
		case <-asked:
		case <-time.After(time.Minute):
			t.Error("nobody asks for it")
		}
	})
}
