package appsignal

// window remembers which numbers of an author were taken: each counts once,
// also when they come out of order by less than its width. The zero value is
// before the first.
type window struct {
	top  uint64
	seen uint64 // bit i: top-i was taken
}

// windowWidth is how far behind the newest a number may be. spec: 10-signals §3
const windowWidth = 64

// take reports whether seq is new, and remembers it.
func (w *window) take(seq uint64) bool {
	if seq > w.top {
		w.seen = w.seen<<min(seq-w.top, windowWidth) | 1 // a shift by the whole width leaves nothing
		w.top = seq
		return true
	}
	if w.has(seq) {
		return false
	}
	w.seen |= uint64(1) << (w.top - seq)
	return true
}

// has reports whether seq was taken, or is too far behind to tell.
func (w *window) has(seq uint64) bool {
	return seq <= w.top && (w.top-seq >= windowWidth || w.seen>>(w.top-seq)&1 != 0)
}
