package eventlog

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A process that was killed while badger made a file, or removed one, left it
// without a byte. The store opens with all that was in it.
func TestAFileWithoutBytesIsNoDamage(t *testing.T) {
	src := open(t, t.TempDir())
	a := newAuthor(1)
	b := a.seal(t, room, texts(3, 2000)...)
	if _, err := src.Append(t.Context(), b, true); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"%05d.mem", "%06d.vlog"} {
		for _, number := range []int{0, 7} { // before those that are there, and after
			dir := copyRunning(t, src)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(name, number)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			for i := range b.Events {
				if _, found, err := s.Get(b.Events[i].ID); err != nil || !found {
					t.Errorf(name+": event %d: %v, %v", number, i, found, err)
				}
			}
			checkedClose(t, s)
		}
	}
	checkedClose(t, src)
}
