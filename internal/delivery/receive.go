package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Bounds of the queue between validators and the store: what comes when it is
// full is forwarded, but not stored; it is found by comparing.
const (
	maxQueue      = 1024     // batches
	maxQueueBytes = 16 << 20 // of payload
	appendAtOnce  = 32       // batches handed to the store's group commit together
)

// What can never be in a log, whoever signed it.
var (
	errLog   = errors.New("batch of another log")
	errEpoch = errors.New("encrypted event in a log that has no keys")

	// ErrAuthor is why an event of a third author is not in a direct chat.
	ErrAuthor = errors.New("author is not one of the two")
)

// arrival is a verified batch and who handed it over.
type arrival struct {
	batch *event.Batch
	from  peer.ID
}

// validate is the verdict on a gossiped payload; what is accepted goes to the
// taker. Rejected is only what is wrong for everyone; what depends on this
// node's own state is ignored and charged to the forwarder's budget.
// spec: 04-delivery §4
func (l *Log) validate(_ context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	if _, ok := msg.ValidatorData.(own); ok {
		return pubsub.ValidationAccept
	}
	if !l.s.budgets.useless.Solvent(from) {
		l.s.metrics.ignored.WithLabelValues("budget").Inc()
		l.syncer.lost() // it may be good, and pubsub shows us no second copy
		return pubsub.ValidationIgnore
	}
	b, err := event.Decode(msg.Data)
	if errors.Is(err, event.ErrVersion) {
		return l.ignore(from, "version")
	}
	if err == nil {
		err = l.belongs(b)
	}
	if err != nil {
		return l.reject(from, err)
	}
	if l.may != nil && !l.may(b) {
		return l.ignore(from, "author")
	}
	if p, alone := b.Proof(); alone && p.Count > 1 {
		return l.ignore(from, "part") // a batch has as many of these as events, each news to pubsub
	}
	if l.s.cfg.Store.Cut(b) == len(b.Events) { // before it is known: it may have been stored
		return l.ignore(from, "cut")
	}
	now := l.s.cfg.Now()
	if l.known.replayed(now, b) {
		return l.ignore(from, "replayed")
	}
	known, fetched := l.known.gossiped(b)
	if known && !fetched {
		return l.ignore(from, "known")
	}
	if err := b.Verify(); err != nil {
		return l.reject(from, err)
	}
	if fetched { // it is stored here, and others wait for it
		l.known.add(b, true)
		l.fetcher.patience.hasty(time.Now())
		return pubsub.ValidationAccept
	}
	if l.early(now, b) {
		l.hold(now, arrival{b, from})
		return l.ignore(from, "early")
	}
	if !l.s.budgets.authors.Take(b.Author(), len(msg.Data)) {
		return l.ignore(from, "rate")
	}
	l.enqueue(arrival{b, from})
	return pubsub.ValidationAccept
}

// belongs reports as an error what can never be in this log.
func (l *Log) belongs(b *event.Batch) error {
	if b.Log() != l.id {
		return errLog
	}
	if l.admits != nil {
		if err := l.admits(b); err != nil {
			return err
		}
	}
	for i := range b.Events {
		if err := event.LogPublicRoom.Admits(&b.Events[i].Header); err != nil {
			return errEpoch
		}
	}
	return nil
}

func (l *Log) reject(from peer.ID, err error) pubsub.ValidationResult {
	l.s.budgets.useless.Charge(from, rejectCost)
	l.s.metrics.rejected.WithLabelValues(reason(err)).Inc()
	l.log.Debug("batch rejected", "peer", from, "err", err)
	return pubsub.ValidationReject
}

func (l *Log) ignore(from peer.ID, reason string) pubsub.ValidationResult {
	l.s.budgets.useless.Charge(from, 1)
	l.s.metrics.ignored.WithLabelValues(reason).Inc()
	return pubsub.ValidationIgnore
}

func (l *Log) hold(now time.Time, a arrival) {
	if !l.held.add(now, a) {
		l.s.metrics.ignored.WithLabelValues("early-full").Inc()
		return
	}
	select {
	case l.soon <- struct{}{}: // the taker waits for the next that is due
	default:
	}
}

// enqueue hands a batch to the taker. When the queue is full the batch is
// counted and asked for later.
func (l *Log) enqueue(a arrival) {
	size := int64(len(a.batch.Payload()))
	if l.waiting.Add(size) <= maxQueueBytes && l.queue.Put(a) {
		return
	}
	l.waiting.Add(-size)
	l.s.metrics.overflowed.Inc()
	l.queue.Overflow()
}

// take brings batches into the store, those that wait together in one group
// commit, and lets in what was held aside when its time has come.
func (l *Log) take() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var items []arrival
	for {
		select {
		case <-l.queue.Wake():
		case <-l.soon:
		case <-timer.C:
		case <-l.ctx.Done():
			return
		}
		var overflow bool
		items, overflow = l.queue.TakeAll(items)
		for i := 0; i < len(items); i += appendAtOnce {
			l.appendAll(items[i:min(i+appendAtOnce, len(items))])
		}
		for _, a := range items {
			l.waiting.Add(-int64(len(a.batch.Payload())))
		}
		if overflow {
			l.syncer.lost()
		}
		ready, next := l.held.ready(l.s.cfg.Now())
		l.appendAll(ready)
		if timer.Stop(); next > 0 {
			timer.Reset(next)
		}
	}
}

// appendAll stores gossiped batches in as few commits as it takes, and asks for
// parents that are missing.
func (l *Log) appendAll(items []arrival) {
	batches := make([]*event.Batch, len(items))
	for i := range items {
		batches[i] = items[i].batch
	}
	appended, errs := l.s.cfg.Store.AppendAll(l.ctx, batches, l.direct)
	for i, a := range items {
		fresh, excused := l.appended(a.batch, appended[i], errs[i], true)
		switch {
		case errs[i] != nil || fresh > 0 || excused:
		case len(appended[i].Cut) > 0:
			l.ignore(a.from, "cut")
		default:
			l.ignore(a.from, "stored")
		}
		if fresh > 0 && len(appended[i].Missing) > 0 {
			l.Told(a.from, appended[i].Missing)
		}
	}
}

// appended takes note of what became of a batch. It returns how many events
// were new, and if none was, whether its forwarder is excused.
func (l *Log) appended(b *event.Batch, res eventlog.Appended, err error, gossiped bool) (fresh int, excused bool) {
	if err != nil {
		l.notStored(err)
		return 0, false
	}
	l.failing.Store(false)
	if len(res.Cut) == len(b.Events) { // nothing that is held, or known
		return 0, false
	}
	l.acks.stored(b.Author(), b.Events[len(b.Events)-1].Seq)
	for _, isNew := range res.New {
		if isNew {
			fresh++
		}
	}
	if !erased(b) { // else its content may still come
		excused = l.known.add(b, gossiped)
	}
	l.s.cfg.Clock.Observe(l.s.cfg.Now(), b.Events[len(b.Events)-1].HLC)
	if fresh == 0 {
		return 0, excused
	}
	l.s.metrics.received.Add(float64(fresh))
	l.s.stored(b, res.New)
	if b.Author() == l.s.cfg.Author {
		l.forgotten.Store(true)
	}
	return fresh, false
}

// notStored counts a batch that the store refused. Why is told once, until
// something is stored again; that of a peer is never told as ours.
func (l *Log) notStored(err error) {
	if l.ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return // it was broken off before the store had it
	}
	l.s.metrics.unstored.Inc()
	if errors.Is(err, eventlog.ErrScattered) {
		l.log.Debug("batch not stored", "err", err)
	} else if !l.failing.Swap(true) {
		l.log.Error("batches are not stored", "err", err)
	}
}

// erased reports whether a batch lacks the content of an event. Anybody can
// take that away, on purpose too.
func erased(b *event.Batch) bool {
	return slices.ContainsFunc(b.Events, func(e event.Event) bool { return e.Content == nil })
}

// reason names an error of Decode, Verify or belongs in metrics.
func reason(err error) string {
	for _, r := range []struct {
		err  error
		name string
	}{
		{event.ErrTooLarge, "size"},
		{event.ErrHash, "hash"},
		{event.ErrSignature, "signature"},
		{event.ErrVersion, "version"},
		{errLog, "log"},
		{errEpoch, "epoch"},
		{ErrAuthor, "author"},
	} {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return "form"
}
