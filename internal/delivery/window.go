package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Bounds of the send window. spec: 04-delivery §8
const (
	windowSize  = 8                      // own batches that a member may have to store yet
	tooFar      = 32                     // one who has more is not waited for until he has caught up
	silence     = time.Second            // one who stores nothing for so long counts no more
	maxHold     = 250 * time.Millisecond // that a batch waits, however many are behind
	patiencePer = 20                     // a share of time, one in so many, may be spent on a few who are behind
	maxPatience = 100 * time.Millisecond // and so much at once
)

// window keeps a busy sender from outrunning those who follow it, each of whom
// tells on a stream of his own how far he has stored what it sent. While nobody
// follows, it holds nothing.
//
// The sender goes on when all have stored all but seven batches, or half of them
// have and its patience with the others is spent: he who is slower than most, or
// says so, costs the room a twentieth of its time and then comes to what he lacks
// by comparing. Time is given, so that tests need none.
type window struct {
	metrics *metrics
	wake    chan struct{} // somebody has stored more, or follows no more

	mu        sync.Mutex
	followers map[peer.ID]*follower
	sent      [tooFar + 1]uint64 // the last seqs of the newest batches, in a ring
	n         int                // batches sent
	patience  time.Duration
	at        time.Time // when that was right
	indulgent bool      // since then it is being spent
}

// follower is a member that tells what it has stored.
type follower struct {
	acked uint64    // up to this seq
	since time.Time // when that rose, or something was sent to one who had all
	left  bool      // not waited for, until he has caught up
}

func newWindow(m *metrics) *window {
	return &window{metrics: m, wake: make(chan struct{}, 1), followers: make(map[peer.ID]*follower)}
}

// put says that a batch is about to be published whose last event has this seq.
func (w *window) put(seq uint64, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := w.newest()
	for _, f := range w.followers {
		if f.acked >= newest {
			f.since = now
		}
	}
	w.sent[w.n%len(w.sent)] = seq
	w.n++
}

func (w *window) newest() uint64 { return w.sent[(w.n+len(w.sent)-1)%len(w.sent)] }

// ack says that p has stored what was sent up to seq; with the first he follows.
// Who says more than was sent has said all that was.
func (w *window) ack(p peer.ID, seq uint64, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.followers[p]
	if f == nil {
		f = &follower{since: now, left: true}
		w.followers[p] = f
	}
	if seq = min(seq, w.newest()); seq > f.acked {
		f.acked, f.since = seq, now
	}
	w.look(f, now)
	signal(w.wake)
}

// drop says that p follows no more.
func (w *window) drop(p peer.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.followers[p]; f != nil && !f.left {
		w.metrics.windowed.Dec()
	}
	delete(w.followers, p)
	signal(w.wake)
}

// look returns how many batches f has to store yet, and whether it counts: one
// does who stores anything. It notes who has left the window, and who is back.
func (w *window) look(f *follower, now time.Time) (lacks int, counts bool) {
	for _, seq := range w.sent {
		if seq > f.acked {
			lacks++
		}
	}
	counts = lacks == 0 || now.Sub(f.since) < silence
	switch {
	case f.left && counts && lacks <= windowSize:
		f.left = false
		w.metrics.windowed.Inc()
	case !f.left && !counts:
		f.left = true
		w.metrics.windowed.Dec()
		w.metrics.windowLeft.WithLabelValues("silent").Inc()
	case !f.left && lacks > tooFar:
		f.left = true
		w.metrics.windowed.Dec()
		w.metrics.windowLeft.WithLabelValues("behind").Inc()
	}
	return lacks, counts
}

// wait returns when the next batch may be sent, or false when ctx ends.
func (w *window) wait(ctx context.Context) bool {
	began := time.Now()
	d := w.hold(began, began)
	if d <= 0 {
		return ctx.Err() == nil
	}
	defer func() { w.metrics.windowWait.Add(time.Since(began).Seconds()) }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for d > 0 {
		select {
		case <-w.wake:
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
		d = w.hold(began, time.Now())
		timer.Reset(d)
	}
	return true
}

// hold returns how long the sender, who has waited since a time, is to wait yet
// if nobody stores anything meanwhile.
func (w *window) hold(since, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spend(now)
	count, done, late := 0, 0, 0
	for _, f := range w.followers {
		lacks, counts := w.look(f, now)
		if !counts {
			continue
		}
		count++
		if lacks < windowSize {
			done++
		} else if !f.left {
			late++
		}
	}
	left := maxHold - now.Sub(since)
	if 2*done < count {
		return left
	}
	if left = min(left, w.patience); late == 0 || left <= 0 {
		return 0
	}
	w.indulgent = true
	return left
}

// spend brings the patience up to date.
func (w *window) spend(now time.Time) {
	passed := now.Sub(w.at)
	w.at = now
	w.patience = min(w.patience+passed/patiencePer, maxPatience)
	if w.indulgent {
		w.patience -= passed
	}
	w.indulgent = false
}
