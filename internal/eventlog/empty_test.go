package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A process that was killed while badger made a file left it without a byte.
// The store opens with all that was in it; a file that has lost what it had is
// damage all the same.
func TestAFileThatWasJustMadeIsNoDamage(t *testing.T) {
	src := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(3, 2000)...)
	if _, err := src.Append(t.Context(), b, true); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{"mem", "vlog"} {
		dir := copyRunning(t, src)
		files, err := filepath.Glob(filepath.Join(dir, "*."+ext))
		if err != nil || len(files) == 0 {
			t.Fatal("no such file", err)
		}
		var newest int
		if _, err := fmt.Sscanf(filepath.Base(files[len(files)-1]), "%d."+ext, &newest); err != nil {
			t.Fatal(err)
		}
		width := len(filepath.Base(files[0])) - len(ext) - 1
		empty := filepath.Join(dir, fmt.Sprintf("%0*d.%s", width, newest+1, ext))
		if err := os.WriteFile(empty, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		for i := range b.Events {
			if _, found, err := s.Get(b.Events[i].ID); err != nil || !found {
				t.Errorf("%s: event %d: %v, %v", ext, i, found, err)
			}
		}
		checkedClose(t, s)

		dir = copyRunning(t, src)
		if err := os.Truncate(filepath.Join(dir, filepath.Base(files[len(files)-1])), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(empty)), make([]byte, 20), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(t.Context(), Options{Dir: dir, Key: testKey}); err == nil {
			s.Close()
			t.Errorf("%s: an older file without bytes is passed over", ext)
		} else if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", ext, err)
		}
	}
	checkedClose(t, src)
}
