package presence

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/wire"
)

// Bounds of greeting.
const (
	greetWaiting  = 1024             // peers that wait to be greeted; more are not
	greetAtOnce   = 8                // streams that are written at a time
	greetIncoming = 64               // streams that are read at a time; more are reset
	greetTime     = 10 * time.Second // for one stream
	farewellTime  = 500 * time.Millisecond
)

// greeter hands signals to single peers and takes theirs.
type greeter struct {
	s        *Service
	ctx      context.Context
	incoming chan struct{}
	wg       sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	waiting []peer.ID
	queued  map[peer.ID]struct{}
	running int

	greeting map[peer.ID]bool     // under way; true: try again if it fails
	owed     map[peer.ID]struct{} // could not be greeted, at most greetWaiting
}

func newGreeter(ctx context.Context, s *Service) *greeter {
	return &greeter{
		s: s, ctx: ctx, incoming: make(chan struct{}, greetIncoming), queued: make(map[peer.ID]struct{}),
		greeting: make(map[peer.ID]bool), owed: make(map[peer.ID]struct{}),
	}
}

// add queues p and starts a worker if there are fewer than greetAtOnce.
func (g *greeter) add(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.queued[p]; ok || g.closed || len(g.waiting) >= greetWaiting {
		return
	}
	g.queued[p] = struct{}{}
	g.waiting = append(g.waiting, p)
	if g.running < greetAtOnce {
		g.running++
		g.wg.Go(g.work) // ends when nobody waits or ctx is done
	}
}

func (g *greeter) next() (p peer.ID, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 || g.ctx.Err() != nil {
		g.running--
		return "", false
	}
	p = g.waiting[0]
	g.waiting = g.waiting[1:]
	delete(g.queued, p)
	delete(g.owed, p)
	g.greeting[p] = false
	return p, true
}

func (g *greeter) work() {
	for {
		p, ok := g.next()
		if !ok {
			return
		}
		err := g.send(p)
		if err != nil {
			g.s.log.Debug("peer not greeted", "peer", p, "err", err)
		}
		g.settle(p, err)
	}
}

// settle notes how greeting p went.
func (g *greeter) settle(p peer.ID, err error) {
	g.mu.Lock()
	again := g.greeting[p]
	delete(g.greeting, p)
	if err != nil && !again && len(g.owed) < greetWaiting {
		g.owed[p] = struct{}{}
	}
	g.mu.Unlock()
	if err != nil && again {
		g.add(p)
	}
}

// heard says that p handed its signal over, so that it takes one now: it is
// greeted if it could not be before. A peer may be admitted before what takes
// signals is started there.
func (g *greeter) heard(p peer.ID) {
	g.mu.Lock()
	_, owed := g.owed[p]
	delete(g.owed, p)
	if _, ok := g.greeting[p]; ok {
		g.greeting[p] = true
	}
	g.mu.Unlock()
	if owed {
		g.add(p)
	}
}

func (g *greeter) send(p peer.ID) error {
	ctx, cancel := context.WithTimeout(g.ctx, greetTime)
	defer cancel()
	return g.s.hand(ctx, p, g.s.signal(false, false))
}

// hand gives a signal to p and waits until p has taken it.
func (s *Service) hand(ctx context.Context, p peer.ID, data []byte) error {
	stream, err := s.cfg.Host.NewStream(ctx, p, wire.SignalProtocol(s.cfg.Tag))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	defer stream.Reset() // no effect on a stream that has ended
	if err := wire.WriteFrame(stream, data); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	if _, err := stream.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("signal not taken: %w", err)
	}
	return nil
}

// farewell hands a goodbye to some peers, so that those who listen at the other
// end of our connections have it, and the gossip before it, when those end.
func (s *Service) farewell(data []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
	defer cancel()
	peers := s.cfg.Host.Network().Peers()
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	var wg sync.WaitGroup
	for _, p := range peers[:min(len(peers), greetAtOnce)] {
		wg.Go(func() {
			if err := s.hand(ctx, p, data); err != nil {
				s.log.Debug("no goodbye", "peer", p, "err", err)
			}
		})
	}
	wg.Wait()
}

// receive takes one signal of the stream's peer itself.
func (g *greeter) receive(stream network.Stream) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		_ = stream.Reset()
		return
	}
	g.wg.Add(1)
	g.mu.Unlock()
	defer g.wg.Done()
	select {
	case g.incoming <- struct{}{}:
		defer func() { <-g.incoming }()
	default:
		_ = stream.Reset()
		return
	}
	ctx, cancel := context.WithTimeout(g.ctx, greetTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	if err := g.read(stream); err != nil {
		g.s.refused(stream.Conn().RemotePeer(), err)
		_ = stream.Reset()
		return
	}
	_ = stream.Close()
}

func (g *greeter) read(stream network.Stream) error {
	data, err := wire.ReadFrame(bufio.NewReader(stream), MaxSignal)
	if err != nil {
		return err
	}
	sig, err := Decode(g.s.cfg.Network, data)
	if err != nil {
		return err
	}
	from := stream.Conn().RemotePeer()
	g.heard(from)
	g.s.take(from, sig, wire.PeerID(sig.Author) == from)
	return nil
}

// wait ends greeting; the context is done already.
func (g *greeter) wait() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
