package audit

import (
	"errors"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// hashBytes is how long the file of hashes is for so many records.
func hashBytes(n int64) int64 { return tlog.StoredHashCount(n) * tlog.HashSize }

// takeRecords reads records to the end and writes what the file of hashes has
// not, or has otherwise. At a torn end the reader stands before it.
func (l *Log) takeRecords(r *Reader) error {
	w := &l.writer
	cursor, writing := l.hashes.cursor(w.edge.size), false
	w.raw = w.raw[:0]
	for {
		line, err := r.Line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := ParseAt(line, w.edge.size); err != nil {
			begin := r.lines.was
			torn, other := l.isTorn(r, err)
			if other != nil {
				return other
			}
			if !torn {
				return err
			}
			r.lines.at = begin
			break
		}
		before := w.edge.size
		w.hashes = w.edge.add(tlog.RecordHash(line), w.hashes[:0])
		if !writing {
			same, _ := cursor.are(w.hashes)
			writing = !same
		}
		if !writing {
			continue
		}
		w.raw = appendHashes(w.raw, w.hashes)
		if len(w.raw) >= 1<<20 {
			if err := l.flushHashes(before + 1); err != nil {
				return err
			}
		}
	}
	return l.flushHashes(w.edge.size)
}

// flushHashes writes what was gathered, which ends with the hashes of the first
// size records.
func (l *Log) flushHashes(size int64) error {
	raw := l.writer.raw
	_, err := l.hashes.f.WriteAt(raw, hashBytes(size)-int64(len(raw)))
	l.writer.raw = raw[:0]
	return err
}

// isTorn reports whether a line that is no record, just read, is what a loss of
// power left of the last write: then nothing that was signed, and no whole
// record, comes in or behind it.
func (l *Log) isTorn(r *Reader, is error) (bool, error) {
	if !errors.Is(is, ErrChanged) || r.first != l.writer.first || l.writer.edge.size < l.last.Size {
		return false, nil
	}
	for {
		line, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if _, err := ParseRecord(line); err == nil {
			return false, nil
		}
	}
}
