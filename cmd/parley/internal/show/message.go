package show

import (
	"time"

	v1 "github.com/parley-chat/parley/api/parley/v1"
)

// When shows a time as people want it: in their zone, the hour alone if it
// was today.
func When(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// WhenOf shows when a message was written.
func WhenOf(m *v1.Message, now time.Time) string { return When(TimeOf(m), now) }
