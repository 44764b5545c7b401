package bench

import (
	"context"
	"encoding/binary"
	"io"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// The baseline: go-libp2p-pubsub as it comes, with longer queues, for its own
// lose messages at any pace worth measuring. It stores nothing. So that a sender
// at full speed is not measured by what it drops, receivers count on a stream of
// their own, and it keeps at most plainWindow messages ahead of the slowest.
const (
	plainQueue  = 1024
	plainWindow = 512
	plainCount  = 20 * time.Millisecond
	plainCounts = protocol.ID("/parley/bench/counts/1.0.0")
)

type plain struct {
	host  host.Host
	topic *pubsub.Topic
	sub   *pubsub.Subscription
	stop  context.CancelFunc

	heard sync.Map // peer.ID of a sender → *atomic.Uint64: how many of his came
}

func openPlain(ctx context.Context, o Opening) (*plain, error) {
	opts := []libp2p.Option{libp2p.ListenAddrStrings(o.listenAddr()), libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{})}
	if o.Transport == QUIC {
		opts = append(opts, libp2p.Transport(libp2pquic.NewTransport))
	} else {
		opts = append(opts, libp2p.Transport(tcp.NewTCPTransport))
	}
	if o.Loss > 0 {
		opts = append(opts, withLoss(o.Loss))
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, err
	}
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &plain{host: h, stop: stop}
	h.SetStreamHandler(plainCounts, p.tellCounts)
	if err := p.subscribe(inner); err != nil {
		_ = p.close()
		return nil, err
	}
	return p, nil
}

func (p *plain) subscribe(ctx context.Context) error {
	ps, err := pubsub.NewGossipSub(ctx, p.host,
		pubsub.WithPeerOutboundQueueSize(plainQueue), pubsub.WithValidateQueueSize(plainQueue))
	if err != nil {
		return err
	}
	if p.topic, err = ps.Join(roomName); err != nil {
		return err
	}
	p.sub, err = p.topic.Subscribe(pubsub.WithBufferSize(plainQueue))
	return err
}

func (p *plain) addr() peer.AddrInfo {
	return peer.AddrInfo{ID: p.host.ID(), Addrs: p.host.Addrs()}
}

func (p *plain) meet(ctx context.Context, others []peer.AddrInfo) {
	for _, o := range others {
		_ = p.host.Connect(ctx, o) // who is missing shows in others
	}
}

func (p *plain) others() int { return len(p.topic.ListPeers()) }

func (p *plain) listen(ctx context.Context, heard func(string)) {
	for {
		m, err := p.sub.Next(ctx)
		if err != nil {
			return
		}
		if m.ReceivedFrom == p.host.ID() {
			continue
		}
		count, _ := p.heard.LoadOrStore(m.GetFrom(), new(atomic.Uint64))
		count.(*atomic.Uint64).Add(1)
		heard(string(m.Data))
	}
}

// tellCounts tells a sender how many of his messages came, until he ends it.
func (p *plain) tellCounts(s network.Stream) {
	defer s.Reset()
	count, _ := p.heard.LoadOrStore(s.Conn().RemotePeer(), new(atomic.Uint64))
	tick := time.NewTicker(plainCount)
	defer tick.Stop()
	for range tick.C {
		if _, err := s.Write(binary.BigEndian.AppendUint64(nil, count.(*atomic.Uint64).Load())); err != nil {
			return
		}
	}
}

func (p *plain) send(ctx context.Context, texts iter.Seq[string]) iter.Seq[error] {
	return func(yield func(error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w := newSlowest(ctx, p)
		defer w.wg.Wait()
		defer cancel()
		sent := uint64(0)
		for t := range texts {
			w.wait(ctx, sent)
			sent++
			if !yield(p.topic.Publish(ctx, []byte(t))) {
				return
			}
		}
	}
}

func (p *plain) repaired() (int, error) { return 0, nil }

func (p *plain) traffic() int64 { return 0 }

func (p *plain) close() error {
	p.stop()
	return p.host.Close()
}

// slowest knows how many messages of the sender the slowest receiver has.
type slowest struct {
	counts []atomic.Uint64
	more   chan struct{}
	begun  sync.WaitGroup // each has told its first count, or never will
	wg     sync.WaitGroup
}

func newSlowest(ctx context.Context, p *plain) *slowest {
	peers := p.topic.ListPeers()
	w := &slowest{counts: make([]atomic.Uint64, len(peers)), more: make(chan struct{}, 1)}
	w.begun.Add(len(peers))
	for i, to := range peers {
		w.wg.Go(func() { w.follow(ctx, p.host, to, &w.counts[i]) })
	}
	w.begun.Wait()
	return w
}

// follow reads one receiver's counts. One that cannot be heard holds nobody.
func (w *slowest) follow(ctx context.Context, h host.Host, to peer.ID, count *atomic.Uint64) {
	begun := sync.OnceFunc(w.begun.Done)
	defer begun()
	defer w.set(count, math.MaxUint64/2)
	s, err := h.NewStream(ctx, to, plainCounts)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	_, _ = s.Write(nil) // the protocol is negotiated with the first write
	var b [8]byte
	var first uint64
	for i := 0; ; i++ {
		if _, err := io.ReadFull(s, b[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint64(b[:])
		if i == 0 {
			first = n
		}
		w.set(count, n-first)
		begun()
	}
}

func (w *slowest) set(count *atomic.Uint64, n uint64) {
	count.Store(n)
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// wait waits until the slowest lacks fewer than plainWindow of sent messages.
func (w *slowest) wait(ctx context.Context, sent uint64) {
	for ctx.Err() == nil && sent >= w.least()+plainWindow {
		select {
		case <-w.more:
		case <-ctx.Done():
		}
	}
}

func (w *slowest) least() uint64 {
	least := uint64(math.MaxUint64 / 2)
	for i := range w.counts {
		least = min(least, w.counts[i].Load())
	}
	return least
}
