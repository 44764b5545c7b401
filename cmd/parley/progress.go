package main

import (
	"fmt"
	"time"
)

// progressEvery is how often a number on the screen changes.
const progressEvery = 200 * time.Millisecond

// progress shows on a terminal how far long work has come: nothing in the
// first moments, and nothing elsewhere.
type progress struct {
	a     *app
	last  time.Time
	shown bool
}

func (a *app) progress() *progress {
	p := &progress{a: a}
	if isTerminal(a.err) {
		p.last = time.Now().Add(progressEvery)
	}
	return p
}

// at says how many events are done.
func (p *progress) at(events uint64) {
	if p.last.IsZero() || time.Since(p.last) < progressEvery {
		return
	}
	p.last, p.shown = time.Now(), true
	fmt.Fprintf(p.a.err, "\r%s", p.a.text.T("%d events…", events))
}

// end takes the number away.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.a.err, "\r\x1b[K")
	}
}
