package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// What GossipSub is told. Events carry their own proof, so its signatures are
// off, and a message is named by its payload alone, as js-libp2p does without
// signing: both sides then agree which message a peer has.
const (
	// gossipQueue is the length of each queue: outbound a peer, validation and
	// subscription. libp2p's 32 lose messages silently. Full queues drop, are
	// counted, and sync repairs.
	gossipQueue = 1024
	// gossipMessage bounds one RPC: a batch of 128 KiB with room for its topic,
	// and the greeting that lists all topics of a node in some 2,500 rooms.
	gossipMessage = 256 << 10
	// gossipSeen is how long a message is known as seen.
	gossipSeen = 5 * time.Minute
	// gossipPrune is how long a pruned peer waits before it asks again. With a
	// mesh of 3 the default minute would leave a node without one for long.
	gossipPrune = 15 * time.Second
	// gossipBeat is the time between two heartbeats: meshes form, and who has
	// lost all its mesh hears again, within it. An idle node pays 0.6 ms of a
	// processor a second for it, for a beat of a second 0.2.
	gossipBeat = 200 * time.Millisecond
	// gossipKept is how long a message is kept for who asks for it.
	gossipKept = 2 * time.Second
)

// gossipProtocols ends at 1.2.0: what js-libp2p speaks too. Floodsub is not
// spoken: it would bypass the mesh.
var gossipProtocols = []protocol.ID{pubsub.GossipSubID_v12, pubsub.GossipSubID_v11, pubsub.GossipSubID_v10}

// newPubSub starts GossipSub on the facade h; it ends with ctx.
func newPubSub(ctx context.Context, h host.Host, log *slog.Logger, tracer *gossipTracer) (*pubsub.PubSub, error) {
	router := pubsub.DefaultGossipSubRouter(h)
	tracer.mesh.send = func(p peer.ID, ctl *pb.ControlMessage) { router.SendControl(p, ctl) }
	ps, err := pubsub.NewGossipSubWithRouter(ctx, h, router,
		router.WithDefaultTagTracer(),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(), // StrictNoSign alone would still send author and seqno
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithGossipSubProtocols(gossipProtocols, pubsub.GossipSubDefaultFeatures),
		pubsub.WithGossipSubParams(gossipParams()),
		pubsub.WithFloodPublish(false),
		pubsub.WithSubscriptionFilter(tracer.topics),
		pubsub.WithMaxMessageSize(gossipMessage),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithValidateQueueSize(gossipQueue),
		pubsub.WithSeenMessagesTTL(gossipSeen),
		pubsub.WithLogger(slog.New(loud{log.Handler()})),
		pubsub.WithRPCLogger(slog.New(slog.DiscardHandler)),
		pubsub.WithRawTracer(tracer),
		pubsub.WithAppSpecificRpcInspector(tracer.mesh.inspect),
	)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	return ps, nil
}

// gossipParams are what stands fixed when GossipSub starts; mesh tends the rest.
// A node that joins asks for 3 peers, and again when fewer than 2 are left. A
// mesh is never cut at random.
func gossipParams() pubsub.GossipSubParams {
	p := pubsub.DefaultGossipSubParams()
	p.D, p.Dlo, p.Dhi, p.Dout = 3, thinMesh.least, meshLimit, 0
	p.PruneBackoff = gossipPrune
	p.HeartbeatInterval, p.HeartbeatInitialDelay = gossipBeat, gossipBeat
	p.SlowHeartbeatWarning = 0.5
	p.HistoryGossip = 1            // told in one heartbeat,
	p.Dlazy, p.GossipFactor = 5, 0 // to so few outside the mesh: who hears nothing over it hears of one
	p.HistoryLength = int(gossipKept / gossipBeat)
	p.IDontWantMessageTTL = p.HistoryLength
	return p
}

// messageID names a message by its payload.
func messageID(m *pb.Message) string {
	sum := sha256.Sum256(m.GetData())
	return string(sum[:])
}

// loud passes on what is at least a warning: GossipSub tells its every step.
type loud struct{ slog.Handler }

func (l loud) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && l.Handler.Enabled(ctx, level)
}
