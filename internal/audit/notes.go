package audit

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxNoteLine bounds a line of a file of notes, in which each LF takes two bytes.
const maxNoteLine = 2 * maxNote

// noteLine is how a note stands in a file: a JSON string and LF.
func noteLine(msg []byte) []byte {
	line, err := json.Marshal(string(msg))
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return append(line, '\n')
}

// parseNoteLine reads it, without its LF.
func parseNoteLine(line []byte) ([]byte, error) {
	var text string
	if len(line) > maxNoteLine || json.Unmarshal(line, &text) != nil {
		return nil, errNote
	}
	return []byte(text), nil
}

// noteReader reads the notes that a file has when it is opened.
type noteReader struct {
	lines *lineReader
	end   int64 // of the file then
}

// openNotes begins with the first. A file that is not there has none.
func openNotes(dir, name string) (*noteReader, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return &noteReader{}, nil
	}
	if err != nil {
		return nil, ErrFailed.With(err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, ErrFailed.With(err)
	}
	return &noteReader{&lineReader{f: f}, end}, nil
}

// next returns the next checkpoint, its signatures checked; io.EOF at the end.
func (r *noteReader) next() (Checkpoint, error) {
	if r.lines == nil || r.lines.at >= r.end {
		return Checkpoint{}, io.EOF
	}
	line, err := r.lines.next()
	if err != nil {
		return Checkpoint{}, err
	}
	msg, err := parseNoteLine(line)
	if err != nil {
		return Checkpoint{}, err
	}
	return ParseCheckpoint(msg)
}

func (r *noteReader) close() {
	if r.lines != nil {
		r.lines.f.Close()
	}
}

// lastNote returns the last whole checkpoint of a file, its signatures checked;
// size 0 and no note if there is none.
func lastNote(dir, name string) (Checkpoint, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, ErrFailed.With(err)
	}
	defer f.Close()
	line, _, err := lastLine(f, maxNoteLine)
	if err != nil {
		return Checkpoint{}, ErrFailed.With(err)
	}
	if line == nil {
		return Checkpoint{}, nil
	}
	msg, err := parseNoteLine(line)
	if err == nil {
		var c Checkpoint
		if c, err = ParseCheckpoint(msg); err == nil {
			return c, nil
		}
	}
	return Checkpoint{}, ErrCheckpoint.Withf("the last checkpoint in %s is not what was signed: %v", name, err)
}
