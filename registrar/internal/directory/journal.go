package directory

import "container/list"

// journal has entries in the order in which they were noted last. A reader holds a
// position in it, so there may be many, and none of them has a queue that could run
// over. Its owner locks. The zero value is empty.
type journal struct {
	marks list.List // of *mark, the last noted at the end
	last  uint64    // position of the last
	wake  chan struct{}
}

// mark is where an entry stands in a journal. The zero value: nowhere.
type mark struct {
	at      uint64
	entry   *entry
	element *list.Element
}

// note puts e, whose mark m is, at the end.
func (j *journal) note(m *mark, e *entry) {
	j.last++
	m.at, m.entry = j.last, e
	if m.element == nil {
		m.element = j.marks.PushBack(m)
	} else {
		j.marks.MoveToBack(m.element)
	}
	if j.wake != nil {
		close(j.wake)
		j.wake = nil
	}
}

// drop takes out what was noted.
func (j *journal) drop(m *mark) {
	if m.element != nil {
		j.marks.Remove(m.element)
		m.element = nil
	}
}

// since returns the first entries after a position, at most so many of those that
// fit (nil: all do), and the position to go on from.
func (j *journal) since(at uint64, most int, fits func(*entry) bool) (out []*entry, next uint64) {
	for el := j.after(at); el != nil; el = el.Next() {
		m := el.Value.(*mark)
		if len(out) == most {
			return out, at
		}
		if at = m.at; fits == nil || fits(m.entry) {
			out = append(out, m.entry)
		}
	}
	return out, j.last
}

// after is the first that stands after a position.
func (j *journal) after(at uint64) *list.Element {
	if j.last == at {
		return nil
	}
	var first *list.Element
	for el := j.marks.Back(); el != nil; el = el.Prev() {
		if el.Value.(*mark).at <= at {
			return first
		}
		first = el
	}
	return first
}

// woken is closed when something is noted.
func (j *journal) woken() <-chan struct{} {
	if j.wake == nil {
		j.wake = make(chan struct{})
	}
	return j.wake
}
