package delivery

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// When a sender is busy, and whom it then asks to follow. spec: 04-delivery §8
const (
	busyRun    = 8                // batches, each sent as soon as the pace allowed it,
	busyEvents = 256              // with so many events together,
	busyBytes  = 128 << 10        // or bytes
	busyFor    = 5 * time.Second  // after which it is busy no more
	maxFollow  = 64               // members that follow
	followWait = 5 * time.Second  // for one to say that he does
	askAgain   = 10 * time.Second // after who was asked and does not follow
)

// busy watches how much a sender sends, and while it is much has members follow:
// one goroutine each reads what he says. It is used by the sender's alone.
type busy struct {
	l      *Log
	window *window
	seed   maphash.Seed // whom it asks of many: nobody can bring about that it is he
	run    run

	ctx    context.Context // while it is busy
	idle   *time.Timer     // ends ctx
	looked time.Time
	asked  map[peer.ID]asked
}

// run is what was sent without a rest.
type run struct{ batches, events, bytes int }

// asked is a member who was asked to follow.
type asked struct {
	at    time.Time
	ended chan struct{} // closed when he does not, or no more
}

func newBusy(l *Log, w *window) *busy {
	return &busy{l: l, window: w, seed: maphash.MakeSeed(), asked: make(map[peer.ID]asked)}
}

// sent takes note of a batch; rested says that nothing waited when it might have
// been sent.
func (s *busy) sent(b *event.Batch, rested bool) {
	if s.l.direct {
		return // it has acknowledgements of its own
	}
	if rested {
		s.run = run{}
	}
	s.run = run{s.run.batches + 1, s.run.events + len(b.Events), s.run.bytes + len(b.Payload())}
	if s.run.batches == busyRun {
		if s.run.events >= busyEvents || s.run.bytes >= busyBytes {
			s.begin()
		}
		s.run = run{}
	}
	if s.is() && time.Since(s.looked) >= recount {
		s.ask()
	}
}

func (s *busy) is() bool { return s.ctx != nil && s.ctx.Err() == nil }

// begin makes the sender busy, for some time after this.
func (s *busy) begin() {
	if s.is() {
		s.idle.Reset(busyFor)
		return
	}
	ctx, cancel := context.WithCancel(s.l.ctx)
	s.ctx, s.idle, s.looked = ctx, time.AfterFunc(busyFor, cancel), time.Time{}
}

// end makes it busy no more; what reads ends soon.
func (s *busy) end() {
	if s.is() {
		s.idle.Reset(0)
	}
}

// ask has members follow who do not, as many as may.
func (s *busy) ask() {
	now, peers := time.Now(), s.l.way.Peers()
	s.looked = now
	following := 0
	for p, a := range s.asked {
		select {
		case <-a.ended:
			if now.Sub(a.at) >= askAgain {
				delete(s.asked, p)
			}
		default:
			following++
		}
	}
	slices.SortFunc(peers, func(a, b peer.ID) int {
		return cmp.Compare(maphash.String(s.seed, string(a)), maphash.String(s.seed, string(b)))
	})
	for _, p := range peers {
		if _, was := s.asked[p]; was || following == maxFollow {
			continue
		}
		a, ctx := asked{now, make(chan struct{})}, s.ctx
		s.asked[p] = a
		following++
		s.l.wg.Go(func() {
			defer close(a.ended)
			if err := s.window.read(ctx, s.l, p); err != nil {
				s.l.log.Debug("member does not follow", "peer", p, "err", err)
			}
		})
	}
}

// read has p follow, until ctx ends, he does not, or he breaks a rule.
func (w *window) read(ctx context.Context, l *Log, p peer.ID) error {
	defer w.drop(p)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(followWait, cancel)
	defer late.Stop()
	stream, err := l.way.Open(ctx, p, wire.ForAcks)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	defer stream.Reset() // no effect on a stream that was closed
	if err := wire.WriteFrame(stream, ackRequest{l.id}.encode()); err != nil {
		return err
	}
	in := bufio.NewReaderSize(stream, 64)
	b, err := readStatus(in, 1+maxAck)
	for told := ack(0); err == nil; b, err = wire.ReadFrame(in, maxAck) {
		late.Stop()
		a, err := decodeAck(b)
		if err != nil || a <= told && told > 0 {
			return fmt.Errorf("%w: acknowledgement", errReply)
		}
		told = a
		w.ack(p, uint64(a), time.Now())
		if !pause(ctx, ackPace/2) { // who says more than he may is read no faster
			return ctx.Err()
		}
	}
	return err
}
