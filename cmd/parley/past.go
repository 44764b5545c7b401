package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

const (
	// lateAfter is how long ago a message was written that is of the past.
	lateAfter = 10 * time.Second

	// lateQuiet is how long no such message may come before they are shown,
	// lateWait how long they wait at most.
	lateQuiet = 300 * time.Millisecond
	lateWait  = 5 * time.Second

	// lateEnds is how long none may come before the next are news again: of
	// somebody else who was away.
	lateEnds = time.Minute

	// mostPast bounds what is shown of a room's past at once.
	mostPast = 20
)

// past are messages of rooms that were written while one was away. They come
// newest first and maybe in thousands: what is shown is the newest of them, in
// their order; of older ones that come later still, the number.
type past struct {
	rooms map[string]*pastRoom // by key
	since time.Time            // when the first of those held came; zero: none is
	timer *time.Timer          // fires when they are to be shown
}

type pastRoom struct {
	name string
	kept []*v1.Message // the newest, at most four times mostPast, in no order
	left int           // others
	from uint64        // hlc of the oldest that was shown, when others were left out
	last time.Time     // when the last one came
}

func newPast() past {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return past{rooms: map[string]*pastRoom{}, timer: t}
}

// hold keeps m back if it is of the past.
func (l *past) hold(m *v1.Message, now time.Time) bool {
	if now.Sub(show.TimeOf(m)) < lateAfter {
		return false
	}
	if l.since.IsZero() {
		l.since = now
	}
	key := roomKey(m.GetRoom())
	r := l.rooms[key]
	if r == nil {
		r = &pastRoom{name: m.GetRoom()}
		l.rooms[key] = r
	}
	if now.Sub(r.last) > lateEnds {
		r.from = 0
	}
	r.last = now
	if m.GetHlc() < r.from {
		r.left++
	} else if r.kept = append(r.kept, m); len(r.kept) == 4*mostPast {
		r.trim()
	}
	l.timer.Reset(min(lateQuiet, lateWait-now.Sub(l.since)))
	return true
}

// trim puts what is kept in order and drops the oldest beyond mostPast.
func (r *pastRoom) trim() {
	slices.SortFunc(r.kept, func(a, b *v1.Message) int {
		return cmp.Or(cmp.Compare(a.GetHlc(), b.GetHlc()), cmp.Compare(a.GetId(), b.GetId()))
	})
	over := max(0, len(r.kept)-mostPast)
	r.kept = slices.Delete(r.kept, 0, over)
	r.left += over
}

// showPast shows what was held.
func (s *session) showPast(now time.Time) {
	s.past.since = time.Time{}
	for _, key := range slices.Sorted(maps.Keys(s.past.rooms)) {
		r := s.past.rooms[key]
		r.trim()
		if r.left > 0 {
			s.say("* earlier ones in %s that came now: %d; /history N shows them", show.Clean(r.name), r.left)
			if r.from == 0 && len(r.kept) > 0 {
				r.from = r.kept[0].GetHlc()
			}
		}
		for _, m := range r.kept {
			s.showMessage(m, now)
		}
		r.kept, r.left = nil, 0
	}
}
