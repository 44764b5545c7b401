package node

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/disk"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func write(t *testing.T, path, text string, perm fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func TestPrepareDir(t *testing.T) {
	for _, c := range []struct {
		name  string
		perm  fs.FileMode
		holds []string
		want  fs.FileMode
		warns bool
		err   error
	}{
		{"closed", 0o700, nil, 0o700, false, nil},
		{"empty and open", 0o755, nil, 0o700, true, nil},
		{"empty and writable", 0o777, nil, 0o700, true, nil},
		{"ours and open", 0o755, []string{"identity.key", "config.json", "identity.key.tmp-00"}, 0o700, true, nil},
		{"a home, readable", 0o755, []string{"letter.txt"}, 0o755, true, nil},
		{"a home, writable", 0o775, []string{"letter.txt"}, 0o775, false, ErrPermissions},
		{"somebody's closed", 0o700, []string{"letter.txt"}, 0o700, false, nil},
	} {
		dir := t.TempDir()
		for _, name := range c.holds {
			write(t, filepath.Join(dir, name), "", 0o600)
		}
		if err := os.Chmod(dir, c.perm); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		err := prepareDir(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if !errors.Is(err, c.err) || mode(t, dir) != c.want || (log.Len() > 0) != c.warns {
			t.Errorf("%s: %v, mode %o, log %q", c.name, err, mode(t, dir), &log)
		}
	}
}

func TestPrepareDirMakesIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := prepareDir(dir, orSilent(nil)); err != nil || mode(t, dir) != 0o700 {
		t.Errorf("%v, mode %o", err, mode(t, dir))
	}
	if err := prepareDir("", orSilent(nil)); !errors.Is(err, ErrDir) {
		t.Errorf("no directory: %v", err)
	}
	file := filepath.Join(dir, "file")
	write(t, file, "", 0o600)
	if err := prepareDir(file, orSilent(nil)); !errors.Is(err, ErrDir) {
		t.Errorf("a file for a directory: %v", err)
	}
}

func TestFilesAreWholeAndPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := createFile(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := createFile(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an existing file is created anew: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "one" {
		t.Errorf("the file became %q", data)
	}
	if err := disk.Replace(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); string(data) != "three" || mode(t, path) != 0o600 {
		t.Errorf("the file became %q, mode %o", data, mode(t, path))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestReadFileRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	write(t, path, strings.Repeat("x", 11), 0o600)
	if _, err := readFile(path, 10, true); err == nil {
		t.Error("a file over the limit is read")
	}
	if _, err := readFile(dir, 10, false); err == nil {
		t.Error("a directory is read")
	}
	for _, perm := range []fs.FileMode{0o640, 0o604, 0o620, 0o602} {
		write(t, path, "x", perm)
		if _, err := readFile(path, 10, true); !errors.Is(err, ErrPermissions) {
			t.Errorf("a secret of mode %o is read: %v", perm, err)
		}
		if _, err := readFile(path, 10, false); err != nil {
			t.Errorf("a file of mode %o: %v", perm, err)
		}
	}
}
