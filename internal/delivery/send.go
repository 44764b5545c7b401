package delivery

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Pace and bounds of sending. spec: 04-delivery §3
const (
	maxDrafts   = 2048            // waiting to be sealed; then Submit blocks
	maxHeads    = 7               // parents besides the author's own previous event
	publishTime = 5 * time.Second // for pubsub to take a payload
)

// Draft is an event to be.
type Draft struct {
	Kind    event.Kind
	Expiry  uint64 // Unix ms, 0 = none
	Payload []byte // not copied: leave it alone
	// Key, of at most MaxKey bytes, makes this draft and later ones of the log
	// with the same key one event for a week: the later ones are not written,
	// and their id is the first one's. Empty: no such check.
	Key string
}

// Pending is a draft under way.
type Pending struct {
	draft   Draft
	stopped <-chan struct{}
	done    chan struct{}
	id      event.ID
	err     error
}

// Submit queues a draft. It waits while 2,048 others wait, until ctx is done.
// Errors: event.ErrTooLarge, ErrStopped, ctx's.
func (l *Log) Submit(ctx context.Context, d Draft) (*Pending, error) {
	if len(d.Payload) > event.MaxContent-event.SaltSize {
		return nil, event.ErrTooLarge
	}
	p := &Pending{draft: d, stopped: l.stopped, done: make(chan struct{})}
	select {
	case <-l.ctx.Done():
		return nil, ErrStopped
	default:
	}
	select {
	case l.drafts <- p:
		return p, nil
	case <-l.ctx.Done():
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Wait returns the event's id once it is safe on disk, or why it is not. When
// ctx ends first the draft stays under way. Errors: the store's, with
// eventlog.ErrCut for an author who was cut, ErrStopped, ctx's.
func (p *Pending) Wait(ctx context.Context) (event.ID, error) {
	select {
	case <-p.done:
		return p.id, p.err
	default:
	}
	select {
	case <-p.done:
		return p.id, p.err
	case <-p.stopped:
	case <-ctx.Done():
		return event.ID{}, ctx.Err()
	}
	select {
	case <-p.done: // both were ready
		return p.id, p.err
	default:
		return event.ID{}, ErrStopped
	}
}

func (p *Pending) finish(id event.ID, err error) {
	p.id, p.err = id, err
	close(p.done)
}

// sender is the state of the one goroutine that writes the author's chain.
type sender struct {
	l       *Log
	last    eventlog.AuthorState
	loaded  bool
	waiting []*Pending // taken from the queue, not yet sealed
	drafts  []event.Draft
	most    int // how many of those may go into the next batch
	pace    pace
	next    *time.Timer // fires when the next batch may be sent
	rested  bool        // nothing waited then
	window  *window
	busy    *busy
}

func newSender(l *Log) *sender {
	w := newWindow(l.s.metrics)
	return &sender{l: l, pace: pace{l: l}, next: time.NewTimer(0), window: w, busy: newBusy(l, w)}
}

// send gathers drafts and emits batches: the first at once, then one a pause,
// and not more than others store. What comes meanwhile is gathered by the queue.
func (l *Log) send() {
	s := newSender(l)
	defer s.fail(ErrStopped)
	defer s.busy.end()
	defer s.next.Stop()
	for s.await() && s.window.wait(l.ctx) {
		s.gather()
		s.next.Reset(s.pace.next(time.Now()))
		s.emit()
	}
}

// await returns when something waits and the pace allows a batch, or false when
// the log is left.
func (s *sender) await() bool {
	s.rested = len(s.waiting) == 0 && len(s.l.drafts) == 0
	if len(s.waiting) == 0 {
		select {
		case p := <-s.l.drafts:
			s.waiting = append(s.waiting, p)
		case <-s.l.ctx.Done():
			return false
		}
	}
	select {
	case <-s.next.C:
		return true
	default:
		s.rested = false
	}
	select {
	case <-s.next.C:
		return true
	case <-s.l.ctx.Done():
		return false
	}
}

// gather takes what waits, up to the size of a batch.
func (s *sender) gather() {
	for len(s.waiting) < event.MaxBatchEvents {
		select {
		case p := <-s.l.drafts:
			s.waiting = append(s.waiting, p)
		default:
			return
		}
	}
}

// emit seals one batch of what waits, stores it durably, publishes it and
// hands out the ids.
func (s *sender) emit() {
	s.most = s.repeats()
	if s.most == 0 {
		return
	}
	b, n, err := s.write()
	if err == nil {
		s.window.put(s.last.LastSeq, time.Now())
		s.publish(b)
		s.busy.sent(b, s.rested)
	}
	for i, p := range s.waiting[:n] {
		if err != nil {
			p.finish(event.ID{}, err)
			continue
		}
		p.finish(b.Events[i].ID, nil)
	}
	s.waiting = append(s.waiting[:0], s.waiting[n:]...)
	clear(s.drafts)
}

// write seals one batch and stores it; n is how many of what waits it is about.
func (s *sender) write() (b *event.Batch, n int, err error) {
	s.l.chain.Lock() // nobody else makes the chain longer meanwhile (Bring)
	defer s.l.chain.Unlock()
	if n, err = s.prepare(); err != nil {
		return nil, n, err
	}
	b, err = event.Seal(s.l.id, s.l.s.cfg.Author, s.last.LastSeq, s.last.LastID, s.drafts[:n], s.l.s.cfg.Sign)
	if err == nil {
		err = s.store(b)
	}
	return b, n, err
}

// prepare makes event drafts of what waits and says how many fit one batch; it
// says so too when it fails, for then those fail.
func (s *sender) prepare() (int, error) {
	if err := s.load(); err != nil {
		return len(s.waiting), err
	}
	heads, err := s.l.s.cfg.Store.Heads(s.l.id)
	if err != nil {
		return len(s.waiting), err
	}
	s.drafts = s.drafts[:0]
	var salts [event.MaxBatchEvents * event.SaltSize]byte
	_, _ = rand.Read(salts[:len(s.waiting)*event.SaltSize]) // never fails
	now := s.l.s.cfg.Now()
	for i, p := range s.waiting {
		d := event.Draft{
			HLC: s.l.s.cfg.Clock.Now(now), Kind: p.draft.Kind, Expiry: p.draft.Expiry,
			Payload: p.draft.Payload, Salt: [event.SaltSize]byte(salts[i*event.SaltSize:]),
		}
		if i == 0 {
			d.Parents = s.parents(heads)
		}
		s.drafts = append(s.drafts, d)
	}
	return min(event.Fit(s.drafts), s.most), nil
}

// load reads where the author's chain ends: at first, after a failed append,
// of which it is not known how far it came, and when own events came back.
func (s *sender) load() error {
	if s.loaded && !s.l.forgotten.Swap(false) {
		return nil
	}
	seq, id, err := s.l.s.cfg.Store.Last(s.l.id, s.l.s.cfg.Author)
	s.last, s.loaded = eventlog.AuthorState{LastSeq: seq, LastID: id}, err == nil
	return err
}

// parents are the newest heads but the author's own previous event.
func (s *sender) parents(heads []event.ID) []event.ID {
	parents := make([]event.ID, 0, maxHeads)
	for _, h := range heads {
		if h != s.last.LastID && len(parents) < maxHeads {
			parents = append(parents, h)
		}
	}
	return parents
}

// store waits for the store even when the log is being left: who is told that
// his draft failed must not find it sent.
func (s *sender) store(b *event.Batch) error {
	s.loaded = false
	appended, err := s.l.s.cfg.Store.AppendWith(context.WithoutCancel(s.l.ctx), b, true, s.marks(b)...)
	if err != nil {
		return err
	}
	newest := b.Events[len(b.Events)-1]
	s.last.LastSeq, s.last.LastID, s.loaded = newest.Seq, newest.ID, true
	s.l.known.add(b, true)
	s.l.s.stored(b, appended.New)
	return nil
}

// publish takes a stored batch to others. When that fails nothing is lost: they
// find it when they compare the log.
func (s *sender) publish(b *event.Batch) {
	ctx, cancel := context.WithTimeout(s.l.ctx, publishTime)
	defer cancel()
	if err := s.l.way.Publish(ctx, b); err != nil {
		s.l.log.Warn("batch not published", "err", err)
		s.l.s.metrics.unpublished.Inc()
		return
	}
	s.l.s.metrics.sent.Add(float64(len(b.Events)))
}

// own marks a batch that this node publishes itself: it needs no verdict.
type own struct{}

// fail ends what is left when the log is stopped.
func (s *sender) fail(err error) {
	for _, p := range s.waiting {
		p.finish(event.ID{}, err)
	}
	for {
		select {
		case p := <-s.l.drafts:
			p.finish(event.ID{}, err)
		default:
			close(s.l.stopped) // for drafts that slip in from now on
			return
		}
	}
}
