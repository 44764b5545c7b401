package codes

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/parley-chat/parley/internal/disk"
)

// codesFile is the file's name in the data directory; it is 0600.
const codesFile = "codes.json"

// maxFile is more bytes than MaxCodes codes take.
const maxFile = MaxCodes * 512

// file is where the codes are kept: in codes.json those of some time, and in
// codes.journal what was redeemed since then. Both name a generation. A new one
// is begun with codes.json, so a journal that is one behind is all in that.
type file struct {
	path       string
	generation uint64                      // of the journal that is in place or of the former; 0: there was none
	journal    *journal                    // nil: a new generation has to be begun
	rename     func(from, to string) error // os.Rename, which tests break
}

func newFile(dir string) file { return file{path: filepath.Join(dir, codesFile), rename: os.Rename} }

func (f *file) journalPath() string { return filepath.Join(filepath.Dir(f.path), journalFile) }

// open returns what is in the files, and nothing if there are none. What crashes
// have left is removed.
func (f *file) open() (map[hash]entry, error) {
	all, generation, err := f.readCodes()
	if err != nil {
		return nil, err
	}
	if err := f.readJournal(all, generation); err != nil {
		return nil, err
	}
	if err := f.sweep(); err != nil {
		return nil, ErrFile.With(errors.Join(err, f.close()))
	}
	return all, nil
}

func (f *file) readCodes() (map[hash]entry, uint64, error) {
	data, err := load(f.path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return map[hash]entry{}, 0, nil
	}
	if err != nil {
		return nil, 0, ErrFile.With(err)
	}
	all, generation, err := parseFile(data)
	if err != nil {
		return nil, 0, ErrCorrupt.With(err)
	}
	return all, generation, nil
}

// readJournal adds to the codes of a generation what was redeemed since.
func (f *file) readJournal(all map[hash]entry, generation uint64) error {
	data, err := load(f.journalPath(), maxJournal)
	switch {
	case errors.Is(err, fs.ErrNotExist) && generation == 0:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return ErrJournal.Withf("codes.journal is missing")
	case err != nil:
		return ErrFile.Withf("codes.journal cannot be used").With(err)
	}
	got, err := parseJournal(data)
	if err != nil {
		return ErrJournal.With(err)
	}
	switch f.generation = got.generation; {
	case got.generation+1 == generation: // a crash came between them
		return nil
	case got.generation != generation:
		return ErrJournal.Withf("codes.journal is not that of codes.json").
			With(fmt.Errorf("its generation is %d, that of codes.json %d", got.generation, generation))
	case generation == 0:
		return nil
	}
	if err := got.apply(all); err != nil {
		return ErrJournal.With(err)
	}
	if f.journal, err = openJournal(f.journalPath(), got.size); err != nil {
		return ErrFile.Withf("codes.journal cannot be used").With(err)
	}
	return nil
}

// load reads a file that nobody else has access to.
func load(path string, most int64) ([]byte, error) {
	in, err := os.Open(path)
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
	if info.Size() > most {
		return nil, fmt.Errorf("it has %d bytes", info.Size())
	}
	return io.ReadAll(io.LimitReader(in, most))
}

// replace begins a generation with these codes. Whenever the machine stops, the
// former is there whole or this one, and this one from when replace has returned nil.
func (f *file) replace(codes map[hash]entry) error {
	var suffix [8]byte
	_, _ = rand.Read(suffix[:])
	tmp := f.path + ".tmp-" + hex.EncodeToString(suffix[:])
	if err := f.place(tmp, encodeFile(codes, f.generation+1)); err != nil {
		return ErrFile.With(errors.Join(err, removeIfThere(tmp)))
	}
	return nil
}

func (f *file) place(tmp string, data []byte) error {
	if f.generation == 0 { // codes.json of generation 1 has the former journal beside it, as others have
		if err := beginJournal(f.journalPath(), 0); err != nil {
			return err
		}
	}
	if err := disk.WriteNew(tmp, data); err != nil {
		return err
	}
	if err := f.close(); err != nil { // from here on the former generation may be over
		return err
	}
	if err := f.rename(tmp, f.path); err != nil {
		return err
	}
	if err := disk.SyncDir(filepath.Dir(f.path)); err != nil {
		return err
	}
	if err := beginJournal(f.journalPath(), f.generation+1); err != nil {
		return err
	}
	f.generation++
	var err error
	f.journal, err = openJournal(f.journalPath(), int64(len(firstLine(f.generation))))
	return err
}

// usable reports whether append may be called: if not, replace first.
func (f *file) usable() bool { return f.journal != nil && !f.journal.bad }

// append puts redemptions on disk. With an error none has happened, but it may be
// that they have after a restart.
func (f *file) append(spent []*redemption) error {
	if err := f.journal.append(spent); err != nil {
		return ErrFile.Withf("codes.journal cannot be written").With(err)
	}
	return nil
}

func (f *file) close() error {
	if f.journal == nil {
		return nil
	}
	err := f.journal.f.Close()
	f.journal = nil
	return err
}

// sweep removes what writes left that a crash cut short.
func (f *file) sweep() error {
	names, err := os.ReadDir(filepath.Dir(f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, n := range names {
		if strings.HasPrefix(n.Name(), codesFile+".tmp-") || strings.HasPrefix(n.Name(), journalFile+".tmp-") {
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
