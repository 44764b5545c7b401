//go:build unix

package eventlog

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// image is the files of a store at one moment.
type image map[string]imageFile

// imageFile is a file: what it has up to the last byte that is not zero, and its size.
type imageFile struct {
	data []byte
	size int64
}

// pageSize is what reaches the disk or does not.
const pageSize = 4096

// takeImage reads the files of a store that does nothing meanwhile.
func takeImage(t *testing.T, dir string) image {
	t.Helper()
	m := make(image)
	eachFile(t, dir, func(path string) {
		f, err := readImage(path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		must(t, err)
		m[filepath.Base(path)] = f
	})
	return m
}

// readImage reads a file. A log is written from the front and encrypted: behind
// many zeroes comes nothing.
func readImage(path string) (imageFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return imageFile{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return imageFile{}, err
	}
	m := imageFile{size: st.Size()}
	for int64(len(m.data)) < m.size {
		start := len(m.data)
		part := make([]byte, min(1<<18, m.size-int64(start)))
		if _, err := f.ReadAt(part, int64(start)); err != nil {
			return imageFile{}, err
		}
		m.data = append(m.data, part...)
		if isLog(path) && len(bytes.TrimRight(part, "\x00")) == 0 {
			break
		}
	}
	m.data = bytes.TrimRight(m.data, "\x00")
	return m, nil
}

func isLog(name string) bool {
	return strings.HasSuffix(name, ".mem") || strings.HasSuffix(name, ".vlog")
}

// isMapped reports that badger writes a file through memory and syncs it only when
// it is told to. Tables, manifest and keys are synced before anything relies on them.
func isMapped(name string) bool { return isLog(name) || name == "DISCARD" }

func (m image) write(t *testing.T, dir string) {
	t.Helper()
	for name, f := range m {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, f.data, 0o600))
		must(t, os.Truncate(path, f.size))
	}
}

// cut returns what a kill within the writing that led from one image to the next
// leaves: badger writes first values, then the memtable's log, each from the front.
// false if files came or went meanwhile, also one whose name was given again.
func (m image) cut(r *rand.Rand, before image) (image, bool) {
	if !slices.Equal(slices.Sorted(maps.Keys(m)), slices.Sorted(maps.Keys(before))) {
		return nil, false
	}
	out := maps.Clone(m)
	inValues, changed := r.IntN(2) == 0, false
	for name, f := range m {
		old := before[name]
		if !isLog(name) || len(f.data) == len(old.data) {
			continue
		}
		if !bytes.HasPrefix(f.data, old.data) {
			return nil, false
		}
		changed = true
		end := len(old.data)
		if isValues := strings.HasSuffix(name, ".vlog"); isValues == inValues {
			end += r.IntN(len(f.data) - end)
		} else if isValues {
			continue // they are all there
		}
		out[name] = imageFile{f.data[:end], f.size}
	}
	return out, changed
}

// lose returns what a loss of power may leave: of the pages written since the
// last sync some, or all from some place on, are what they were. In order means that
// keys are there only if all values are, which is how the store syncs them. False if
// nothing is lost.
func (m image) lose(r *rand.Rand, synced image, inOrder bool) (out image, lost bool) {
	if synced == nil {
		return nil, false
	}
	out = maps.Clone(m)
	values := inOrder && r.IntN(2) == 0 // are lost, and with them all keys
	for name, f := range m {
		switch {
		case inOrder && values && strings.HasSuffix(name, ".mem"):
			out[name] = imageFile{synced[name].data, f.size}
		case inOrder && !values && strings.HasSuffix(name, ".vlog"):
		case isMapped(name):
			out[name] = f.lose(r, synced[name])
		}
		lost = lost || isLog(name) && !bytes.Equal(out[name].data, f.data)
	}
	return out, lost
}

func (f imageFile) lose(r *rand.Rand, synced imageFile) imageFile {
	at := func(data []byte, page int) []byte {
		start := min(page*pageSize, len(data))
		return data[start:min(start+pageSize, len(data))]
	}
	var changed []int
	for page := 0; page*pageSize < len(f.data); page++ {
		if !bytes.Equal(at(f.data, page), at(synced.data, page)) {
			changed = append(changed, page)
		}
	}
	if len(changed) == 0 {
		return f
	}
	from, odds := r.IntN(len(changed)+1), []float64{0, 0.1, 0.5}[r.IntN(3)]
	data := bytes.Clone(f.data)
	for i, page := range changed {
		if i >= from || r.Float64() < odds {
			clear(at(data, page))
			copy(at(data, page), at(synced.data, page))
		}
	}
	return imageFile{bytes.TrimRight(data, "\x00"), f.size}
}
