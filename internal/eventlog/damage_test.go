package eventlog

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/fault"
)

// mustRefuse opens a store that must be refused with a code.
func mustRefuse(t *testing.T, o Options, want *fault.Error) {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("open gave %v, want %v", err, want)
	}
}

func TestTwoStoresOnOneDirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	mustRefuse(t, Options{Dir: dir, Key: testKey}, ErrLocked)
	mustRefuse(t, Options{Dir: dir, Key: [32]byte{9}}, ErrLocked)
	checkedClose(t, s)
	open(t, dir)
}

func TestWrongKey(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := newAuthor(1).seal(t, room, texts(3, 10)...)
	mustAppend(t, s, b)
	checkedClose(t, s)
	mustRefuse(t, Options{Dir: dir, Key: [32]byte{9}}, ErrWrongKey)
	if n := len(collect(t, open(t, dir).History(t.Context(), Query{Log: room}))); n != 3 {
		t.Errorf("%d events after somebody tried another key", n)
	}
}

// Nothing of a text may be found in the files.
func TestFilesAreEncrypted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const secret = "a text that nobody else may read"
	a := newAuthor(1)
	mustAppend(t, s, a.seal(t, room, event.Draft{Payload: []byte(secret)}))
	mustAppend(t, s, a.seal(t, room, event.Draft{Payload: []byte(strings.Repeat(secret, 100))}))
	if err := s.SetMeta("nick", []byte(secret)); err != nil {
		t.Fatal(err)
	}
	look := func() {
		eachFile(t, dir, func(path string) {
			if data, err := os.ReadFile(path); err != nil || strings.Contains(string(data), secret[:16]) {
				t.Errorf("%s: %v or a text in the clear", filepath.Base(path), err)
			}
		})
	}
	look()
	checkedClose(t, s)
	look()
}

func TestReadOnlyDirectory(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	checkedClose(t, open(t, dir))
	if os.Getuid() == 0 {
		mountReadOnly(t, dir)
	} else if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, Options{Dir: dir, Key: testKey}, ErrReadOnly)
	mustRefuse(t, Options{Dir: filepath.Join(dir, "new"), Key: testKey}, ErrReadOnly)
}

func mountReadOnly(t *testing.T, dir string) {
	t.Helper()
	mount(t, "--bind", dir, dir)
	if out, err := exec.Command("mount", "-o", "remount,ro,bind", dir).CombinedOutput(); err != nil {
		t.Skipf("group root: no read-only mount here: %v %s", err, out)
	}
}

// mount mounts until the test ends, or skips it.
func mount(t *testing.T, args ...string) {
	t.Helper()
	if os.Getuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("group root: mounting needs root on Linux")
	}
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Skipf("group root: mounting is not possible here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", args[len(args)-1]).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
}

// damaged makes a closed store of some files of each kind.
func damaged(t *testing.T) (dir string, want []event.ID) {
	t.Helper()
	dir = t.TempDir()
	for n := range 3 {
		s := open(t, dir)
		a := newAuthor(n)
		for range 4 {
			b := a.seal(t, room, texts(100, 200)...)
			mustAppend(t, s, b)
			want = append(want, batchIDs(b)...)
		}
		mustAppend(t, s, a.seal(t, room, texts(1, 20)...))
		checkedClose(t, s)
	}
	return dir, want
}

func eachFile(t *testing.T, dir string, fn func(path string)) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		fn(filepath.Join(dir, f.Name()))
	}
}

// Each file of a store in turn is cut, emptied, overwritten or taken away.
// Nothing may panic: the store opens or is refused with a code, and what is
// read is right or an error with a code.
func TestDamagedFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	src, want := damaged(t)
	harms := map[string]func(t *testing.T, path string, size int64){
		"half":    func(t *testing.T, path string, size int64) { must(t, os.Truncate(path, size/2)) },
		"empty":   func(t *testing.T, path string, _ int64) { must(t, os.Truncate(path, 0)) },
		"gone":    func(t *testing.T, path string, _ int64) { must(t, os.Remove(path)) },
		"garbage": func(t *testing.T, path string, size int64) { overwrite(t, path, size/3, size-size/3) },
		"one bit": func(t *testing.T, path string, size int64) { overwrite(t, path, size/2, 1) },
		"tail":    func(t *testing.T, path string, size int64) { overwrite(t, path, max(size-9, 0), 5) },
	}
	for name, harm := range harms {
		eachFile(t, src, func(path string) {
			file := filepath.Base(path)
			t.Run(name+"/"+file, func(t *testing.T) {
				dir := t.TempDir()
				copyDir(t, src, dir)
				st, err := os.Stat(filepath.Join(dir, file))
				must(t, err)
				harm(t, filepath.Join(dir, file), st.Size())
				useDamaged(t, dir, want)
			})
		})
	}
}

func useDamaged(t *testing.T, dir string, want []event.ID) {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: true})
	if err != nil {
		coded(t, err)
		return
	}
	ok := 0
	for _, id := range want {
		e, found, err := s.Get(id)
		switch {
		case err != nil:
			coded(t, err)
		case found && e.Event.ID != id:
			t.Errorf("another event in place of %v", id)
		case found:
			ok++
		}
	}
	for _, err := range s.History(t.Context(), Query{Log: room}) {
		coded(t, err)
	}
	for _, err := range s.Since(t.Context(), 0) {
		coded(t, err)
	}
	if err := s.Check(t.Context()); err == nil && ok != len(want) {
		t.Errorf("the check finds nothing, %d of %d events are left", ok, len(want))
	} else {
		coded(t, err)
	}
	coded(t, s.Close())
}

// coded fails the test if an error has no code.
func coded(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if f, ok := fault.As(err); !ok || !strings.HasPrefix(f.Code, "P3") {
		t.Errorf("an error without a code: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// overwrite inverts n bytes of a file.
func overwrite(t *testing.T, path string, at, n int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	buf := make([]byte, n)
	k, err := f.ReadAt(buf, at)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	for i := range buf[:k] {
		buf[i] ^= 0x41
	}
	_, err = f.WriteAt(buf[:k], at)
	must(t, err)
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	eachFile(t, from, func(path string) {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		must(t, err)
		must(t, os.WriteFile(filepath.Join(to, filepath.Base(path)), data, 0o600))
	})
}

func TestOpenIsBoundedByItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Open(ctx, Options{Dir: dir, Key: testKey}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	open(t, dir)
}
