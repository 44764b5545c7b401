package main

import (
	"cmp"
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

	// mostPast bounds what is shown of a room's past at once.
	mostPast = 20
)

// past are messages of rooms that were written while one was away. They come
// newest first and maybe in thousands: what is shown is the newest of them, in
// their order.
type past struct {
	rooms map[string]*pastRoom // by key
	since time.Time            // when the first of them came
	timer *time.Timer          // fires when they are to be shown
}

type pastRoom struct {
	name string
	kept []*v1.Message // the newest, at most four times mostPast, in no order
	left int           // older ones that are not kept
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
	if len(l.rooms) == 0 {
		l.since = now
	}
	key := roomKey(m.GetRoom())
	r := l.rooms[key]
	if r == nil {
		r = &pastRoom{name: m.GetRoom()}
		l.rooms[key] = r
	}
	if r.kept = append(r.kept, m); len(r.kept) == 4*mostPast {
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

// showPast shows what was kept back.
func (s *session) showPast(now time.Time) {
	rooms := s.past.rooms
	s.past.rooms = map[string]*pastRoom{}
	for _, r := range rooms {
		r.trim()
		if r.left > 0 {
			s.say("* earlier ones in %s that came now: %d; /history N shows them", show.Clean(r.name), r.left)
		}
		for _, m := range r.kept {
			s.showMessage(m, now)
		}
	}
}
