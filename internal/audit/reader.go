package audit

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// lineReader reads the whole lines of a file that may grow.
type lineReader struct {
	f   *os.File
	at  int64 // where the next line begins
	was int64 // where the one that was read last began
	buf *bufio.Reader
}

// next returns the next line without its LF, which is valid until the next call;
// io.EOF where there is none yet, after which it can be called again. A line
// that is longer than any is cut: nobody takes it for a record.
func (r *lineReader) next() ([]byte, error) {
	if r.buf == nil {
		r.buf = bufio.NewReaderSize(io.NewSectionReader(r.f, r.at, 1<<62), 64<<10)
	}
	line, err := r.buf.ReadSlice('\n')
	switch {
	case err == nil:
		r.was, r.at = r.at, r.at+int64(len(line))
		return line[:len(line)-1], nil
	case errors.Is(err, bufio.ErrBufferFull):
		r.was, r.at = r.at, r.at+int64(len(line))
		return line, nil
	case errors.Is(err, io.EOF):
		r.buf = nil // what there is of a line is read again when there is more
		return nil, io.EOF
	default:
		return nil, ErrFailed.With(err)
	}
}

// Reader reads the lines of records one after the other, also while they are
// written. It checks nothing: see ParseRecord and Verify. Not for concurrent use.
type Reader struct {
	dir     string
	first   int64 // index that the open file is named by
	lines   lineReader
	drained bool // there is a later file, and since it was seen this one had no more
}

// NewReader begins before the record of an index: 0 is the first. ErrNoLog if
// there is no log.
func NewReader(dir string, from int64) (*Reader, error) {
	firsts, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	r := &Reader{dir: dir}
	if err := r.open(segmentOf(firsts, from)); err != nil {
		return nil, err
	}
	if from > r.first {
		if r.lines.at, err = seekRecord(r.lines.f, from); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func (r *Reader) open(first int64) error {
	f, err := os.Open(filepath.Join(r.dir, segmentName(first)))
	if err != nil {
		return ErrFailed.With(err)
	}
	if r.lines.f != nil {
		r.lines.f.Close()
	}
	r.first, r.lines, r.drained = first, lineReader{f: f}, false
	return nil
}

// Line returns the next line without its LF, valid until the next call. io.EOF:
// there is none yet, and it can be called again.
func (r *Reader) Line() ([]byte, error) {
	for {
		line, err := r.lines.next()
		if !errors.Is(err, io.EOF) {
			r.drained = false
			return line, err
		}
		next, err := r.after()
		if err != nil {
			return nil, err
		}
		if next < 0 {
			return nil, io.EOF
		}
		// What was written before the next file was made is read first.
		if !r.drained {
			r.drained = true
			continue
		}
		if err := r.open(next); err != nil {
			return nil, err
		}
	}
}

// after returns the index of the next file; -1 if there is none.
func (r *Reader) after() (int64, error) {
	firsts, err := listSegments(r.dir)
	if err != nil {
		return 0, err
	}
	i, found := slices.BinarySearch(firsts, r.first)
	if found {
		i++
	}
	if i == len(firsts) {
		return -1, nil
	}
	return firsts[i], nil
}

// Close lets go of the file.
func (r *Reader) Close() error { return r.lines.f.Close() }
