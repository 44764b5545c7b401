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

// What an answer other than statusOK is, and what is wrong with one.
var (
	errNoLog   = errors.New("the peer does not serve that log")
	errBusy    = errors.New("the peer is busy")
	errFailed  = errors.New("the peer's store failed")
	errReply   = errors.New("reply malformed")
	errAuthors = errors.New("the peer brings too many unknown authors")
)

// ask asks p for events and hands each batch of the reply, decoded and verified
// as gossip is, to take. It returns when the reply has ended; an error of take
// ends it. full says that the reply was as large as it may be, so that what
// has not come may yet be asked for.
func (l *Log) ask(ctx context.Context, p peer.ID, want []event.ID, take func(*event.Batch) error) (full bool, err error) {
	defer func() { l.s.metrics.asked.WithLabelValues(outcome(err)).Inc() }()
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	defer func() { err = slowIf(errors.Is(ctx.Err(), context.DeadlineExceeded), err) }()
	stream, err := l.way.Open(ctx, p, wire.ForFetch)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	defer stream.Reset() // no effect on a stream that was closed
	if err := wire.WriteFrame(stream, (&request{l.id, want}).encode()); err != nil {
		return false, err
	}
	if err := stream.CloseWrite(); err != nil {
		return false, err
	}
	in := bufio.NewReaderSize(stream, 16<<10)
	if _, err := readStatus(in, 1); err != nil {
		return false, err
	}
	return l.readReply(in, want, take)
}

// outcome names in metrics how asking ended.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, errBusy):
		return "busy"
	case errors.Is(err, errNoLog):
		return "no-log"
	default:
		return "failed"
	}
}

// readStatus reads the first frame of a reply, of at most limit bytes, and
// returns what follows the status in it.
func readStatus(in *bufio.Reader, limit int) ([]byte, error) {
	b, err := wire.ReadFrame(in, limit)
	if err != nil {
		return nil, err
	}
	return statusOf(b)
}

func statusOf(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, errReply
	}
	return b[1:], statusError(status(b[0]))
}

func statusError(s status) error {
	switch s {
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
// do not allow is an error, as is a batch that nobody asked for or that gossip
// would reject.
func (l *Log) readReply(in *bufio.Reader, want []event.ID, take func(*event.Batch) error) (full bool, err error) {
	wanted := make(map[event.ID]struct{}, len(want))
	for _, id := range want {
		wanted[id] = struct{}{}
	}
	for bytes := 0; ; {
		payload, err := wire.ReadFrame(in, event.MaxBatchBytes)
		if err != nil {
			return false, err
		}
		if len(payload) == 0 {
			return bytes >= maxReplySize, nil
		}
		if bytes >= maxReplySize {
			return false, fmt.Errorf("%w: too long", errReply)
		}
		b, err := l.check(payload)
		if err != nil {
			l.s.metrics.rejected.WithLabelValues(reason(err)).Inc()
			return false, errors.Join(errReply, err)
		}
		asked := len(wanted)
		for i := range b.Events {
			delete(wanted, b.Events[i].ID)
		}
		if len(wanted) == asked {
			return false, fmt.Errorf("%w: a batch not asked for", errReply)
		}
		bytes += len(payload)
		if l.may != nil && !l.may(b) {
			l.s.metrics.ignored.WithLabelValues("author").Inc()
			continue
		}
		if err := take(b); err != nil {
			return false, err
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
