package bench

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// roomName is the room of most workloads.
const roomName = "bench"

// ours is a Parley node and its messenger in a room, or in those of a star.
type ours struct {
	node  *node.Node
	chat  *chat.Messenger
	rooms []*chat.Room
	found introductions
	reg   *prometheus.Registry
	bytes *streamBytes
	clock clock
}

// openOurs starts a node on o.Dir. It finds nobody but those it is told.
func openOurs(ctx context.Context, o Opening) (_ *ours, err error) {
	p := &ours{found: make(introductions, o.Nodes), reg: prometheus.NewRegistry(), bytes: &streamBytes{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	cfg := node.Config{
		Dir: o.Dir, Network: o.network(), Discovery: p.found,
		Listen: []ma.Multiaddr{ma.StringCast(o.listenAddr())},
		Now:    p.clock.now, Libp2p: []libp2p.Option{libp2p.BandwidthReporter(p.bytes)},
	}
	if o.Loss > 0 {
		cfg.Libp2p = append(cfg.Libp2p, withLoss(o.Loss))
	}
	if p.node, err = node.Start(ctx, cfg); err != nil {
		return nil, err
	}
	// Delivery's counters are the messenger's; the node keeps none, as by default.
	if p.chat, err = chat.Open(ctx, p.node, chat.Config{Registerer: p.reg}); err != nil {
		return nil, err
	}
	for _, name := range o.rooms() {
		room, err := p.chat.Join(ctx, name)
		if err != nil {
			return nil, err
		}
		p.rooms = append(p.rooms, room)
	}
	return p, nil
}

func (p *ours) addr() peer.AddrInfo { return peer.AddrInfo{ID: p.node.ID(), Addrs: p.node.Addrs()} }

func (p *ours) meet(_ context.Context, others []peer.AddrInfo) {
	for _, o := range others {
		p.found <- o // as long as there are nodes
	}
}

func (p *ours) others() (n int) {
	members, err := p.rooms[0].Members(context.Background())
	if err != nil {
		return 0
	}
	for _, m := range members {
		if m.Online && !m.Self {
			n++
		}
	}
	return n
}

func (p *ours) send(ctx context.Context, texts iter.Seq[string]) iter.Seq[error] {
	contents := func(yield func(chat.Content) bool) {
		for t := range texts {
			if !yield(chat.Text(t)) {
				return
			}
		}
	}
	return func(yield func(error) bool) {
		for _, err := range p.rooms[0].SendAll(ctx, contents) {
			if !yield(err) {
				return
			}
		}
	}
}

func (p *ours) listen(ctx context.Context, heard func(string)) {
	for u := range p.chat.Updates(ctx, p.chat.LastCursor()) {
		if m, ok := u.(chat.MessageAdded); ok && !m.Message.Self {
			heard(m.Message.Text)
		}
	}
}

func (p *ours) repaired() (int, error) {
	v, err := values(p.reg)
	return int(v["parley_delivery_events_fetched_total"]), err
}

func (p *ours) traffic() int64 { return p.bytes.n.Load() }

// streamBytes counts what goes over streams, both ways. The totals of
// BandwidthCounter itself are a second or two old, more than a sync takes.
type streamBytes struct {
	metrics.BandwidthCounter
	n atomic.Int64
}

// LogSentMessage counts.
func (s *streamBytes) LogSentMessage(n int64) { s.n.Add(n) }

// LogRecvMessage counts.
func (s *streamBytes) LogRecvMessage(n int64) { s.n.Add(n) }

// LogSentMessageStream is told of the same bytes again.
func (s *streamBytes) LogSentMessageStream(int64, protocol.ID, peer.ID) {}

// LogRecvMessageStream is told of the same bytes again.
func (s *streamBytes) LogRecvMessageStream(int64, protocol.ID, peer.ID) {}

func (p *ours) close() error {
	var errs []error
	if p.chat != nil {
		errs = append(errs, p.chat.Close())
	}
	if p.node != nil {
		errs = append(errs, p.node.Close())
	}
	return errors.Join(errs...)
}

// introductions take the place of multicast: who is to be met is told.
type introductions chan peer.AddrInfo

// Run hands on who is told, until ctx ends.
func (i introductions) Run(ctx context.Context, _ node.DiscoverySelf, found func(peer.AddrInfo)) error {
	for {
		select {
		case p := <-i:
			found(p)
		case <-ctx.Done():
			return nil
		}
	}
}

// Status is that of a discovery that sees no network.
func (i introductions) Status() node.DiscoveryStatus { return node.DiscoveryStatus{} }
