package delivery

import (
	"context"
	"io"

	"github.com/libp2p/go-libp2p/core/peer"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Way is how the batches of a log reach others, and how others are asked for
// theirs: gossip and bare streams for a room, sealed streams between the two of
// a direct chat.
type Way interface {
	// Publish takes a stored batch of this node to the others. An error, or a
	// batch that gets lost, costs nothing but time.
	Publish(ctx context.Context, b *event.Batch) error
	// Peers are the connected peers that replicate the log too.
	Peers() []peer.ID
	// Open opens a stream to p for a purpose of package wire.
	Open(ctx context.Context, p peer.ID, purpose string) (Stream, error)
}

// observer is a Way that is told how sessions of reconciliation end.
type observer interface {
	// Compared says that a session has ended well. If inSync, the peer had every
	// own event up to this seq, on each branch of the chain.
	Compared(seq uint64, inSync bool)
}

// Stream is a stream to one peer.
type Stream interface {
	io.ReadWriter
	CloseWrite() error
	Close() error
	Reset() error // no effect on a stream that is closed
}

// gossip is the way of a room.
type gossip struct {
	s       *Service
	topic   *pubsub.Topic
	unrelay pubsub.RelayCancelFunc
	events  *pubsub.TopicEventHandler // of who subscribes
}

// joinTopic relays the topic of l rather than subscribing to it: the validator
// hands on what a subscription would deliver, and knows when the queue is full.
func joinTopic(l *Log) (g *gossip, err error) {
	g = &gossip{s: l.s}
	ps, name := l.s.cfg.PubSub, wire.LogTopic(l.s.cfg.Tag, l.id)
	if err := ps.RegisterTopicValidator(name, l.validate, pubsub.WithValidatorInline(true)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = ps.UnregisterTopicValidator(name)
		}
	}()
	if g.topic, err = ps.Join(name); err != nil {
		return nil, err
	}
	if g.unrelay, err = g.topic.Relay(); err != nil {
		_ = g.topic.Close()
		return nil, err
	}
	if g.events, err = g.topic.EventHandler(); err != nil {
		g.unrelay()
		_ = g.topic.Close()
		return nil, err
	}
	return g, nil
}

// leave ends the gossip of a log whose goroutines have ended.
func (g *gossip) leave() {
	_ = g.topic.Close()
	_ = g.s.cfg.PubSub.UnregisterTopicValidator(g.topic.String())
}

func (g *gossip) Publish(ctx context.Context, b *event.Batch) error {
	return g.topic.Publish(ctx, b.Payload(), pubsub.WithValidatorData(own{}))
}

func (g *gossip) Peers() []peer.ID { return g.topic.ListPeers() }

func (g *gossip) Open(ctx context.Context, p peer.ID, purpose string) (Stream, error) {
	return g.s.cfg.Host.NewStream(ctx, p, wire.LogProtocol(g.s.cfg.Tag, purpose))
}
