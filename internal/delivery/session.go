package delivery

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
	"github.com/parley-chat/parley/internal/wire"
)

// storeError is an error of the own store.
type storeError struct{ error }

// ownStore marks an error as the own store's.
func ownStore(err error) error {
	if err == nil {
		return nil
	}
	return storeError{err}
}

func (e storeError) Unwrap() error { return e.error }

// session is one comparison with one peer, and the fetching of what it finds.
type session struct {
	y *syncer
	l *Log
	p peer.ID

	stream Stream
	in     *bufio.Reader
	floor  uint64 // the own

	lowest, highest uint64 // seconds that are compared, from the one to before the other

	seq   uint64 // of the newest own event when it began
	told  syncAnswer
	asker *reconcile.Asker
	pull  *pull

	finished bool // everything was compared
	fresh    int  // events that were new
	cut      int  // events that came and are cut
	inSync   bool // with all that this node keeps
	above    bool // in sync, but only above a floor of the peer's
}

// run compares and fetches. The line may be cut at any time: what has come is
// stored, and is not asked for again.
func (s *session) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	defer func() { err = slowIf(errors.Is(ctx.Err(), context.DeadlineExceeded), err) }()
	if s.stream, err = s.l.way.Open(ctx, s.p, wire.ForSync); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.stream.Reset() })
	defer stop()
	defer s.stream.Reset() // no effect on a stream that was closed
	s.in = bufio.NewReaderSize(s.stream, 16<<10)
	now := s.l.s.cfg.Now()
	if err := s.open(now); err != nil {
		return err
	}
	s.pull = newPull(ctx, s.l, s.p, s.lowest, s.highest, s.y.oldest)
	err = s.compare()
	if err == nil {
		_ = s.stream.CloseWrite()
	}
	if s.fresh, s.cut, err = s.pull.finish(err); err != nil {
		return err
	}
	s.y.oldest = s.pull.refused
	if !s.finished || s.asker.Differs() {
		return nil
	}
	return ownStore(s.equal(ctx, now))
}

// open says what it is about, and reads what the peer has.
func (s *session) open(now time.Time) error {
	last, _, err := s.l.s.cfg.Store.Last(s.l.id, s.l.s.cfg.Author)
	if err != nil {
		return ownStore(err)
	}
	s.seq, s.floor = last, s.l.s.cfg.Store.Floor(s.l.id)
	b, err := s.exchange((&syncRequest{s.l.id, s.floor}).encode(), maxSyncAnswer)
	if err != nil {
		return err
	}
	if b, err = statusOf(b); err != nil {
		return err
	}
	if s.told, err = decodeSyncAnswer(b); err != nil {
		return err
	}
	s.lowest, s.highest = max(s.floor, s.told.floor), uint64(now.Add(maxAhead).Unix())+1
	s.asker = reconcile.NewAsker(s.l.s.cfg.Store.Range(s.l.id),
		reconcile.At(s.lowest), reconcile.At(s.highest), uint64(now.Unix()), s.told.count)
	if s.y.oldest {
		s.asker.OldestFirst()
	}
	return nil
}

// exchange sends a frame and reads the reply, within syncTime.
func (s *session) exchange(frame []byte, limit int) (reply []byte, err error) {
	late := time.AfterFunc(syncTime, func() { _ = s.stream.Reset() })
	defer func() { err = slowIf(!late.Stop(), err) }()
	if err := wire.WriteFrame(s.stream, frame); err != nil {
		return nil, err
	}
	return wire.ReadFrame(s.in, limit)
}

// errSlow marks what failed because the peer let us wait for too long.
var errSlow = errors.New("the peer takes too long")

func slowIf(late bool, err error) error {
	if err == nil || !late {
		return err
	}
	return errors.Join(errSlow, err)
}

// idle reports whether the peer took our time for a session that brought
// nothing: by waiting, or by an end of messages before all was compared.
func (s *session) idle(err error) bool {
	return errors.Is(err, errSlow) || err == nil && !s.finished
}

// compare asks until everything is compared, and hands on what is needed.
func (s *session) compare() error {
	for range maxRounds {
		msg, err := s.asker.Next(maxAskedSize, maxAnswerSize)
		if err != nil {
			return ownStore(err)
		}
		if msg == nil {
			s.finished = true
			return nil
		}
		reply, err := s.exchange(msg, maxAnswerSize)
		if err != nil {
			return err
		}
		if len(reply) == 1 && status(reply[0]) > statusOK && status(reply[0]) <= statusFailed {
			return statusError(status(reply[0]))
		}
		found, err := s.asker.Take(reply)
		if err != nil {
			return err
		}
		if err := s.pull.add(found.Need); err != nil {
			return err
		}
	}
	return nil
}

// equal is reached when nothing differs. Parents that are missing all the same
// lie below the floor of what the peer and this node keep, if there is one, or
// were cut, if anybody is: everybody may lack those.
func (s *session) equal(ctx context.Context, now time.Time) error {
	store, id := s.l.s.cfg.Store, s.l.id
	missing, err := store.Missing(id)
	if err != nil {
		return err
	}
	if len(missing) > 0 && (s.told.complete && max(s.floor, s.told.floor) > 0 || store.AnyCut()) {
		if err := store.Settle(ctx, id, s.y.lacked(missing, now)); err != nil {
			return err
		}
		if missing, err = store.Missing(id); err != nil {
			return err
		}
	}
	heads, err := store.Heads(id)
	if err != nil {
		return err
	}
	if len(missing) > 0 || !s.told.complete || !sameIDs(heads[:min(len(heads), maxToldHeads)], s.told.heads) {
		return nil
	}
	s.above = s.told.floor > s.floor
	s.inSync = !s.above
	s.y.mu.Lock()
	s.y.synced = Synced{s.p, now, max(s.floor, s.told.floor)}
	s.y.mu.Unlock()
	return nil
}

// lackedFor is how long a parent has to be missing before it is taken to lie
// below the floor, or to be cut.
const lackedFor = 10 * time.Minute

// lacked returns the ids that were missing already lackedFor ago.
func (y *syncer) lacked(missing []event.ID, now time.Time) (old []event.ID) {
	lacking := make(map[event.ID]time.Time)
	for _, id := range missing[:min(len(missing), maxTries)] {
		since, ok := y.lacking[id]
		if !ok {
			since = now
		}
		lacking[id] = since
		if now.Sub(since) >= lackedFor {
			old = append(old, id)
		}
	}
	y.lacking = lacking
	return old
}

func sameIDs(a, b []event.ID) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, event.ID.Compare)
	slices.SortFunc(b, event.ID.Compare)
	return slices.Equal(a, b)
}

// outcome names in metrics how a session ended.
func (s *session) outcome(err error) string {
	switch {
	case isFault(err):
		return "fault"
	case err != nil:
		return outcome(err)
	case s.inSync:
		return "in-sync"
	case s.above:
		return "in-sync-above"
	case s.fresh > 0:
		return "brought"
	default:
		return "ok"
	}
}
