// Package membership derives who is in a public room, and by what nick, from
// the stored control events: a pure function of their set, whatever the order
// in which they came.
//
//	v := membership.New()
//	v.Apply(&e.Event)              // each profile and leave event of the log
//	m, ok := v.Member(author)
//
// A member is an account whose latest membership event is a profile; only its
// own leave event ends that. Latest is by (hlc, id). A View is not safe for
// concurrent use.
package membership

import (
	"github.com/parley-chat/parley/internal/event"
)

// Member is what the latest events of one account say.
type Member struct {
	Author event.Author
	Nick   string // of the latest profile; stays known after leaving
	In     bool
}

// View is the membership of one room.
type View struct {
	accounts map[event.Author]*account
	in       int
}

type account struct {
	Member
	last  place // of the latest membership event
	named place // of the latest profile
}

// place is where an event stands in its log's order.
type place struct {
	hlc event.HLC
	id  event.ID
}

func (p place) after(q place) bool {
	return p.hlc > q.hlc || p.hlc == q.hlc && p.id.Compare(q.id) > 0
}

// New returns an empty view.
func New() *View { return &View{accounts: make(map[event.Author]*account)} }

// Apply takes an event in and reports whether the view changed. Events of
// other kinds, of newer versions and with unreadable or erased content change
// nothing that they cannot say: an erased profile still joins.
func (v *View) Apply(e *event.Event) bool {
	if e.NeedsNewer() || e.Kind != event.KindProfile && e.Kind != event.KindLeave {
		return false
	}
	a, known := v.accounts[e.Author]
	if !known {
		a = &account{Member: Member{Author: e.Author}}
		v.accounts[e.Author] = a
	}
	at, before := place{e.HLC, e.ID}, a.Member
	if e.Kind == event.KindProfile && at.after(a.named) {
		if p, err := event.DecodeProfile(e.Payload()); err == nil {
			a.Nick, a.named = p.Nick, at
		}
	}
	if at.after(a.last) {
		a.In, a.last = e.Kind == event.KindProfile, at
	}
	switch {
	case a.In && !before.In:
		v.in++
	case before.In && !a.In:
		v.in--
	}
	return !known || a.Member != before
}

// Member returns what is known of an account; false if it has no membership
// event here.
func (v *View) Member(author event.Author) (Member, bool) {
	a, ok := v.accounts[author]
	if !ok {
		return Member{}, false
	}
	return a.Member, true
}

// Counts reports whether the view rests on e: it is the latest membership event
// of an account that is in, or the profile that its nick is from.
func (v *View) Counts(e *event.Event) bool {
	a, ok := v.accounts[e.Author]
	return ok && a.In && (a.last.id == e.ID || a.named.id == e.ID)
}

// Since returns when the latest membership event of an account was written, 0
// if there is none.
func (v *View) Since(author event.Author) event.HLC {
	if a, ok := v.accounts[author]; ok {
		return a.last.hlc
	}
	return 0
}

// Members returns those who are in, in no order.
func (v *View) Members() []Member {
	members := make([]Member, 0, v.in)
	for _, a := range v.accounts {
		if a.In {
			members = append(members, a.Member)
		}
	}
	return members
}

// Len returns how many are in.
func (v *View) Len() int { return v.in }
