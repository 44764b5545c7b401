package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

var (
	// ErrHeld is returned for a batch that is from the future: it is stored when
	// it is due.
	ErrHeld = errors.New("batch from the future is held aside")
	// ErrBelow is returned for a batch older than what is kept of the log: it is
	// not stored.
	ErrBelow = errors.New("batch below what is kept")
	// ErrCut is returned for a batch whose author is cut: nothing of it counts.
	ErrCut = errors.New("batch of an author who is cut")
)

// JoinDirect begins to replicate the log of a direct chat, whose batches go the
// given way. admits says why a batch can never be in the log, or nil. It is
// left as any log.
func (s *Service) JoinDirect(id event.LogID, way Way, admits func(*event.Batch) error) (*Log, error) {
	l, isNew, err := s.join(id, func(l *Log) (Way, error) {
		l.admits, l.direct = admits, true
		return way, nil
	})
	if err == nil && !isNew {
		return nil, ErrStopped // it is being left
	}
	return l, err
}

// Check decodes a payload of a peer and verifies it, whoever its author is.
func (l *Log) Check(payload []byte) (*event.Batch, error) {
	b, err := l.check(payload)
	if err != nil {
		l.s.metrics.rejected.WithLabelValues(reason(err)).Inc()
	}
	return b, err
}

// Take stores checked batches that p handed over, in one durable commit, and
// asks for parents that are missing. It waits while their author is over his
// budget. It returns how many events of each were new. Errors, one a batch:
// ErrHeld, ErrBelow, ErrCut, the store's, ctx's.
func (l *Log) Take(ctx context.Context, p peer.ID, batches []*event.Batch) (fresh []int, errs []error) {
	fresh, errs = make([]int, len(batches)), make([]error, len(batches))
	var due []*event.Batch
	var at []int
	for i, b := range batches {
		if now := l.s.cfg.Now(); Early(now, b) {
			l.hold(now, arrival{b, p})
			errs[i] = ErrHeld
			continue
		}
		if errs[i] = l.s.budgets.authors.Wait(ctx, b.Author(), len(b.Payload())); errs[i] == nil {
			due, at = append(due, b), append(at, i)
		}
	}
	res, failed := l.s.cfg.Store.AppendAll(ctx, due, true)
	for j, i := range at {
		errs[i] = failed[j]
		fresh[i], _ = l.appended(due[j], res[j], failed[j], false)
		switch {
		case errs[i] != nil || fresh[i] > 0:
		case len(res[j].Cut) > 0:
			errs[i] = ErrCut
		case len(res[j].Below) > 0:
			errs[i] = ErrBelow
		}
		if fresh[i] > 0 && len(res[j].Missing) > 0 {
			l.Told(p, res[j].Missing)
		}
	}
	return fresh, errs
}

// ServePair serves what the other of a pair asks for over a sealed stream: log,
// which is theirs, and nothing else. It returns when the stream is done.
func (s *Service) ServePair(purpose string, stream Stream, p peer.ID, log event.LogID) error {
	switch purpose {
	case wire.ForFetch, wire.ForSync:
		s.server.handle(stream, p, purpose, log)
		return nil
	default:
		_ = stream.Reset()
		return fmt.Errorf("nothing is served for %.16q", purpose)
	}
}
