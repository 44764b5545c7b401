package exportfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Record is one line: exactly one of its fields is set.
type Record struct {
	Head    *Head
	Payload []byte  // one event alone, not yet verified
	End     *uint64 // how many events the writer had written
}

// LineError says what is wrong with one line; those after it can be read.
type LineError struct{ Err error }

func (e *LineError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Reader reads an export.
type Reader struct {
	in   *bufio.Reader
	line int
	head bool // an event line has a place to belong to
}

// NewReader returns a Reader that reads from r.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, MaxLine+1)}
}

// Line returns the number of the line that Next read last, from 1.
func (r *Reader) Line() int { return r.line }

// Next reads the next line that is not empty. A *LineError is of that line
// alone; after any other error, io.EOF at the end, there is nothing more. What
// follows a head that cannot be used has none.
func (r *Reader) Next() (Record, error) {
	for {
		text, err := r.next()
		if err != nil {
			return Record{}, err
		}
		if len(text) == 0 {
			continue
		}
		rec, err := r.read(text)
		if err != nil {
			return Record{}, &LineError{err}
		}
		return rec, nil
	}
}

// next returns the next line without its end.
func (r *Reader) next() ([]byte, error) {
	text, err := r.in.ReadSlice('\n')
	if len(text) == 0 && err != nil {
		return nil, err
	}
	r.line++
	if !errors.Is(err, bufio.ErrBufferFull) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return bytes.TrimSpace(text), nil
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.in.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return nil, &LineError{fmt.Errorf("%w: more than %d bytes", ErrTooLong, MaxLine)}
}

func (r *Reader) read(text []byte) (rec Record, err error) {
	var l line
	if json.Unmarshal(text, &l) != nil { // what it says may quote the line
		return rec, ErrForm
	}
	switch {
	case l.Export != nil:
		r.head = false
		h, err := l.head()
		if err != nil {
			return rec, err
		}
		r.head = true
		return Record{Head: &h}, nil
	case l.ID != "":
		if !r.head {
			return rec, ErrNoHead
		}
		rec.Payload, err = l.event()
		return rec, err
	case l.End != nil:
		return Record{End: l.End}, nil
	default:
		return rec, ErrForm
	}
}
