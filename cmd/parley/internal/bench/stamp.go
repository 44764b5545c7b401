package bench

import (
	"strconv"
	"strings"
	"time"
)

// A stamp is "sender index nanoseconds " and what fills the text up.

// MinSize is the shortest text that holds a stamp.
const MinSize = 48

// stamp returns a text of size bytes, at least MinSize.
func stamp(sender, index int, at time.Time, size int) string {
	b := make([]byte, 0, size)
	b = strconv.AppendInt(b, int64(sender), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(index), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, at.UnixNano(), 10)
	b = append(b, ' ')
	for len(b) < size {
		b = append(b, 'x')
	}
	return string(b)
}

// stamped reads a stamp.
func stamped(text string) (sender, index int, at time.Time, ok bool) {
	s, text, _ := strings.Cut(text, " ")
	i, text, _ := strings.Cut(text, " ")
	n, _, ok := strings.Cut(text, " ")
	sender, err1 := strconv.Atoi(s)
	index, err2 := strconv.Atoi(i)
	ns, err3 := strconv.ParseInt(n, 10, 64)
	return sender, index, time.Unix(0, ns), ok && err1 == nil && err2 == nil && err3 == nil
}
