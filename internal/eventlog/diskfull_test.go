package eventlog

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// A real disk of 64 MB: a node's store opens on it, is filled to its reserve,
// refuses with a code, is read, closed, opened again and read, and takes events
// again when there is space.
func TestSmallDiskIsFilled(t *testing.T) {
	for _, light := range []bool{false, true} {
		dir := t.TempDir()
		mount(t, "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir)
		s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: light})
		must(t, err)
		ballast := dir + "/ballast"
		must(t, os.WriteFile(ballast, make([]byte, 8<<20), 0o600))
		a := newAuthor(1)
		stored := 0
		for stored < 1_000_000 {
			_, err = s.Append(t.Context(), a.seal(t, room, texts(256, 200)...), stored%1024 == 0)
			if err != nil {
				break
			}
			stored += 256
		}
		if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "MB are free") {
			t.Fatalf("after %d events: %v", stored, err)
		}
		t.Logf("light %v: %d events until the disk was full", light, stored)
		if n := len(collect(t, s.History(t.Context(), Query{Log: room}))); n != stored {
			t.Errorf("%d of %d events can be read from a full disk", n, stored)
		}
		checkedClose(t, s)
		s, err = Open(t.Context(), Options{Dir: dir, Key: testKey, Light: light})
		must(t, err)
		if n := count(s, room); n != stored {
			t.Errorf("%d of %d events after opening again", n, stored)
		}
		must(t, os.Remove(ballast))
		mustAppend(t, s, newAuthor(2).seal(t, room, texts(1, 20)...))
		checkedClose(t, s)

		mustRefuseFull(t)
	}
}

// mustRefuseFull tries a new store on a disk that is too small for one.
func mustRefuseFull(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=16m", "tmpfs", dir)
	mustRefuse(t, Options{Dir: dir, Key: testKey}, ErrDiskFull)
}
