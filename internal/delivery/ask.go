package delivery

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// What an answer other than statusOK is.
var (
	errNoLog  = errors.New("the peer does not serve that log")
	errBusy   = errors.New("the peer is busy")
	errFailed = errors.New("the peer's store failed")
	errReply  = errors.New("fetch reply malformed")
)

// ask sends one request to p and hands each batch of the reply, decoded and
// verified as gossip is, to take. It returns when the reply has ended; an
// error of take ends it.
func (s *Service) ask(ctx context.Context, p peer.ID, l *Log, r *request, take func(*event.Batch) error) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	stream, err := l.way.Open(ctx, p, wire.ForFetch)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	defer stream.Reset() // no effect on a stream that was closed
	if err := wire.WriteFrame(stream, r.encode()); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	in := bufio.NewReaderSize(stream, 16<<10)
	if err := readStatus(in); err != nil {
		return err
	}
	return l.readReply(in, r, take)
}

func readStatus(in *bufio.Reader) error {
	b, err := wire.ReadFrame(in, 1)
	if err != nil {
		return err
	}
	if len(b) != 1 {
		return errReply
	}
	switch status(b[0]) {
	case statusOK:
		return nil
	case statusNoLog:
		return errNoLog
	case statusBusy:
		return errBusy
	case statusFailed:
		return errFailed
	default:
		return errReply
	}
}

// readReply reads payloads up to the empty frame. What the bounds of a reply
// do not allow is an error, as is a batch that gossip would reject.
func (l *Log) readReply(in *bufio.Reader, r *request, take func(*event.Batch) error) error {
	for batches, bytes := 0, 0; ; batches++ {
		payload, err := wire.ReadFrame(in, event.MaxBatchBytes)
		if err != nil {
			return err
		}
		if len(payload) == 0 {
			return nil
		}
		if batches >= maxWant+r.limit || bytes >= maxReplySize {
			return fmt.Errorf("%w: longer than asked for", errReply)
		}
		b, err := l.check(payload)
		if err != nil {
			l.s.metrics.rejected.WithLabelValues(reason(err)).Inc()
			return err
		}
		bytes += len(payload)
		if err := take(b); err != nil {
			return err
		}
	}
}

// check decodes and verifies a fetched payload, own ones as any other.
func (l *Log) check(payload []byte) (*event.Batch, error) {
	b, err := event.Decode(payload)
	if err != nil {
		return nil, err
	}
	if err := l.belongs(b); err != nil {
		return nil, err
	}
	return b, b.Verify()
}

// admit stores a fetched batch, or holds it aside when it is from the future.
// It waits while its author is over his budget. It returns how many events were
// new, and which of their parents are missing.
func (l *Log) admit(ctx context.Context, b *event.Batch, from peer.ID) (fresh int, missing []event.ID, err error) {
	if now := l.s.cfg.Now(); early(now, b) {
		l.hold(now, arrival{b, from})
		return 0, nil, nil
	}
	if err := l.s.budgets.authors.Wait(ctx, b.Author(), len(b.Payload())); err != nil {
		return 0, nil, err
	}
	res, err := l.s.cfg.Store.Append(ctx, b, l.direct)
	fresh, _ = l.appended(b, res, err, false)
	l.s.metrics.fetched.Add(float64(fresh))
	return fresh, res.Missing, err
}
