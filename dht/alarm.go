package dht

import "time"

// alarm is a timer that may be set to ring sooner and never later: who asks for
// it again and again does not put it off. Not safe for concurrent use.
type alarm struct {
	*time.Timer
	due time.Time // zero once it rang
}

func newAlarm(d time.Duration) *alarm { return &alarm{time.NewTimer(d), time.Now().Add(d)} }

// within has it ring in d at the latest.
func (a *alarm) within(d time.Duration) {
	if due := time.Now().Add(d); a.due.IsZero() || due.Before(a.due) {
		a.due = due
		a.Reset(d)
	}
}

// rang is to be called when it did.
func (a *alarm) rang() { a.due = time.Time{} }
