package codes

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/disk"
)

// codesFile is the file's name in the data directory; it is 0600.
const codesFile = "codes.json"

// maxFile is more bytes than MaxCodes codes take.
const maxFile = MaxCodes * 512

// fileJSON is the form of DIR/codes.json.
type fileJSON struct {
	Version int        `json:"version"`
	Codes   []codeJSON `json:"codes"`
}

type codeJSON struct {
	Hash    string     `json:"hash"` // SHA-256, 64 hex digits
	Expires time.Time  `json:"expires"`
	UsedBy  string     `json:"used_by,omitempty"`
	Used    *time.Time `json:"used,omitempty"`
}

// file is where the codes are kept.
type file struct {
	path   string
	rename func(from, to string) error // os.Rename, which tests break
}

func newFile(dir string) file { return file{filepath.Join(dir, codesFile), os.Rename} }

// read returns what is in the file, and nothing if there is none.
func (f file) read() (map[hash]entry, error) {
	data, err := f.load()
	if errors.Is(err, fs.ErrNotExist) {
		return map[hash]entry{}, nil
	}
	if err != nil {
		return nil, ErrFile.With(err)
	}
	codes, err := parseFile(data)
	if err != nil {
		return nil, ErrCorrupt.With(err)
	}
	return codes, nil
}

func (f file) load() ([]byte, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); disk.HasModes && perm&0o077 != 0 {
		return nil, fmt.Errorf("others have access to it (mode %04o): who can write to it lets in whom he likes", perm)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("it has %d bytes", info.Size())
	}
	return io.ReadAll(io.LimitReader(in, maxFile))
}

func parseFile(data []byte) (map[hash]entry, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var j fileJSON
	if err := d.Decode(&j); err != nil {
		return nil, errors.New("it is not JSON of the right form")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows its end")
	}
	if j.Version != 1 {
		return nil, fmt.Errorf("version %d is unknown here", j.Version)
	}
	if len(j.Codes) > MaxCodes {
		return nil, fmt.Errorf("it has %d codes", len(j.Codes))
	}
	codes := make(map[hash]entry, len(j.Codes))
	for i, c := range j.Codes {
		h, e, err := c.parse()
		if err != nil {
			return nil, fmt.Errorf("code %d: %w", i+1, err)
		}
		codes[h] = e
	}
	if len(codes) != len(j.Codes) {
		return nil, errors.New("a code is in it twice")
	}
	return codes, nil
}

func (c codeJSON) parse() (h hash, e entry, err error) {
	raw, err := hex.DecodeString(c.Hash)
	if err != nil || len(raw) != len(h) {
		return h, e, errors.New("the hash is not 64 hex digits")
	}
	e = entry{expires: whole(c.Expires), usedBy: c.UsedBy}
	if (c.UsedBy == "") != (c.Used == nil) || c.UsedBy != "" && checkPeer(c.UsedBy) != nil {
		return h, e, errors.New("it does not say by whom it was used, and when")
	}
	if c.Used != nil {
		e.used = whole(*c.Used)
	}
	return hash(raw), e, nil
}

// encodeFile sorts the codes by hash, which says nothing about who got which.
func encodeFile(codes map[hash]entry) []byte {
	j := fileJSON{Version: 1, Codes: make([]codeJSON, 0, len(codes))}
	for h, e := range codes {
		c := codeJSON{Hash: hex.EncodeToString(h[:]), Expires: e.expires, UsedBy: e.usedBy}
		if e.usedBy != "" {
			c.Used = &e.used
		}
		j.Codes = append(j.Codes, c)
	}
	slices.SortFunc(j.Codes, func(a, b codeJSON) int { return strings.Compare(a.Hash, b.Hash) })
	data, err := json.Marshal(j)
	if err != nil {
		panic(err) // strings and times in range always encode
	}
	return append(data, '\n')
}

// write replaces the file: it is there whole, the old or the new, whenever the
// machine stops, and the new from when write has returned nil.
func (f file) write(codes map[hash]entry) error {
	var suffix [8]byte
	_, _ = rand.Read(suffix[:])
	tmp := f.path + ".tmp-" + hex.EncodeToString(suffix[:])
	if err := f.place(tmp, encodeFile(codes)); err != nil {
		return ErrFile.With(errors.Join(err, removeIfThere(tmp)))
	}
	return nil
}

func (f file) place(tmp string, data []byte) error {
	if err := disk.WriteNew(tmp, data); err != nil {
		return err
	}
	if err := f.rename(tmp, f.path); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(f.path))
}

// sweep removes what writes left that a crash cut short.
func (f file) sweep() error {
	names, err := os.ReadDir(filepath.Dir(f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, n := range names {
		if strings.HasPrefix(n.Name(), codesFile+".tmp-") {
			err = errors.Join(err, removeIfThere(filepath.Join(filepath.Dir(f.path), n.Name())))
		}
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
