package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
	"github.com/parley-chat/parley/node"
)

// leaf is a node that is connected with a hub alone, and in one room with it. It
// is the product's node, and does what chat does on the network without a disk:
// it writes signed events that are linked to what it has heard, and verifies
// those of others. It answers nobody who wants to compare.
type leaf struct {
	node  *node.Node
	found introductions
	topic *pubsub.Topic
	log   event.LogID
	heard func(text string)

	clock event.Clock
	mu    sync.Mutex
	seq   uint64 // of the own last event
	last  event.ID
	heads map[event.ID]struct{} // of others: those that no event names as a parent
}

type leafConfig struct {
	dir     string
	network node.NetworkConfig
	room    string
	heard   func(text string) // called for each text that was verified
}

// openLeaf starts a node that listens nowhere: nobody but itself connects it.
func openLeaf(ctx context.Context, cfg leafConfig) (_ *leaf, err error) {
	l := &leaf{found: make(introductions, 1), heard: cfg.heard, heads: make(map[event.ID]struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	l.node, err = node.Start(ctx, node.Config{
		Dir: cfg.dir, Network: cfg.network, Discovery: l.found, Listen: []ma.Multiaddr{},
	})
	if err != nil {
		return nil, err
	}
	key, err := event.RoomKey(cfg.room)
	if err != nil {
		return nil, err
	}
	l.log = event.PublicRoomLog(l.node.Network().ID, key)
	return l, l.enter()
}

// enter takes part in the gossip of the room.
func (l *leaf) enter() (err error) {
	name := wire.LogTopic(l.node.Network().Tag, l.log)
	if err := l.node.PubSub().RegisterTopicValidator(name, l.validate, pubsub.WithValidatorInline(true)); err != nil {
		return err
	}
	if l.topic, err = l.node.PubSub().Join(name); err != nil {
		return err
	}
	if _, err := l.topic.Relay(); err != nil {
		return err
	}
	l.node.Table().Provide(l.log)
	return nil
}

// meet tells of the hub.
func (l *leaf) meet(hub peer.AddrInfo) { l.found <- hub }

// met reports whether the hub is known to be in the room.
func (l *leaf) met() bool { return len(l.topic.ListPeers()) > 0 }

// join writes that the node is in the room. The hub is to know by then that it
// listens: what is lost of the first messages nobody brings.
func (l *leaf) join(ctx context.Context) error {
	payload, err := event.Profile{}.Encode()
	if err != nil {
		return err
	}
	return l.write(ctx, event.KindProfile, payload)
}

// say sends a message.
func (l *leaf) say(ctx context.Context, text string) error {
	payload, err := event.Message{Type: event.TypeText, Data: []byte(text)}.Encode()
	if err != nil {
		return err
	}
	return l.write(ctx, event.KindMessage, payload)
}

// own marks what the leaf publishes itself: it needs no verdict.
type own struct{}

// write signs an event and publishes it.
func (l *leaf) write(ctx context.Context, kind event.Kind, payload []byte) error {
	b, err := l.seal(event.Draft{HLC: l.clock.Now(l.node.Now()), Kind: kind, Payload: payload})
	if err != nil {
		return err
	}
	return l.topic.Publish(ctx, b.Payload(), pubsub.WithValidatorData(own{}))
}

// seal links an event to what was said before and signs it.
func (l *leaf) seal(d event.Draft) (*event.Batch, error) {
	author, err := wire.Author(l.node.ID())
	if err != nil {
		return nil, err
	}
	_, _ = rand.Read(d.Salt[:]) // never fails
	l.mu.Lock()
	defer l.mu.Unlock()
	d.Parents = slices.Collect(maps.Keys(l.heads))
	d.Parents = d.Parents[:min(len(d.Parents), event.MaxParents-1)]
	b, err := event.Seal(l.log, author, l.seq, l.last, []event.Draft{d}, l.node.Sign)
	if err != nil {
		return nil, err
	}
	clear(l.heads)
	l.seq, l.last = b.Events[0].Seq, b.Events[0].ID
	return b, nil
}

// validate verifies what comes and hands it on, as chat does.
func (l *leaf) validate(_ context.Context, _ peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	if _, ok := msg.ValidatorData.(own); ok {
		return pubsub.ValidationAccept
	}
	b, err := event.Decode(msg.Data)
	if err != nil || b.Log() != l.log || b.Verify() != nil {
		return pubsub.ValidationReject // it is missed in the end
	}
	for i := range b.Events {
		l.take(&b.Events[i])
	}
	return pubsub.ValidationAccept
}

// take notes an event of another.
func (l *leaf) take(e *event.Event) {
	l.clock.Observe(l.node.Now(), e.HLC)
	l.mu.Lock()
	for _, p := range e.Parents {
		delete(l.heads, p)
	}
	l.heads[e.ID] = struct{}{} // until the next own event names them
	l.mu.Unlock()
	if e.Kind != event.KindMessage {
		return
	}
	if m, err := event.DecodeMessage(e.Payload()); err == nil {
		l.heard(string(m.Data))
	}
}

func (l *leaf) close() error {
	if l.node == nil {
		return nil
	}
	return l.node.Close()
}
