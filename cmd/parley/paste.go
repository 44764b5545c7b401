package main

import (
	"bytes"
	"io"
	"strings"
)

// A terminal in this mode says where a paste begins and ends.
const (
	pasteOn    = "\x1b[?2004h"
	pasteOff   = "\x1b[?2004l"
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// In the line being edited these stand for what a paste holds and a key would
// do at once: send the line, complete a word.
const (
	lineMark = "␤"
	tabMark  = "␉"
)

var unmark = strings.NewReplacer(lineMark, "\n", tabMark, "\t")

// pasteReader reads a terminal's input. What is pasted stays one line, to be
// looked at and sent as one message: nothing in it acts as a key.
type pasteReader struct {
	r       io.Reader
	out     bytes.Buffer // translated, to be read
	held    []byte       // what may become a mark of the terminal
	pasting bool
	after   byte // the pasted byte before
}

func (p *pasteReader) Read(b []byte) (int, error) {
	for p.out.Len() == 0 {
		n, err := p.r.Read(b)
		for _, c := range b[:n] {
			p.take(c)
		}
		if err != nil && p.out.Len() == 0 {
			return 0, err
		}
	}
	return p.out.Read(b)
}

func (p *pasteReader) take(c byte) {
	mark := pasteBegin
	if p.pasting {
		mark = pasteEnd
	}
	if c != '\x1b' && len(p.held) == 0 {
		p.put(c)
		return
	}
	held := append(p.held, c)
	p.held = nil
	switch {
	case string(held) == mark:
		p.pasting, p.after = !p.pasting, 0
	case strings.HasPrefix(mark, string(held)):
		p.held = held
	case c == '\x1b': // what was held is none, this one may begin one
		p.putAll(held[:len(held)-1])
		p.held = []byte{c}
	default:
		p.putAll(held)
	}
}

func (p *pasteReader) putAll(text []byte) {
	for _, c := range text {
		p.put(c)
	}
}

func (p *pasteReader) put(c byte) {
	switch {
	case !p.pasting:
		p.out.WriteByte(c)
	case c == '\n' && p.after == '\r': // one end of a line
	case c == '\n' || c == '\r':
		p.out.WriteString(lineMark)
	case c == '\t':
		p.out.WriteString(tabMark)
	case c >= ' ' && c != 0x7f:
		p.out.WriteByte(c)
	}
	p.after = c
}
