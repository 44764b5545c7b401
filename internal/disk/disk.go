// Package disk is what all who keep files do alike: write one so that it is there
// whole or not at all, and lock a directory.
package disk

import (
	"errors"
	"os"
	"path/filepath"
)

// ErrLocked means that another has the lock.
var ErrLocked = errors.New("locked")

// Lock takes the exclusive lock of a file, which it makes, 0600, if it is absent. The
// lock ends when the file is closed, with the process at the latest. Leave the file
// in place: removing it would let two hold locks of different files. Errors:
// ErrLocked, the system's.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Replace puts a 0600 file in place, whole and on disk: the former one, if there is
// one, stays until then. What a crash leaves has the path with ".tmp-" and more.
func Replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing is there any more after the rename
	if err := finish(f, data); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// WriteNew writes a new 0600 file and syncs it. Its name is durable after SyncDir
// alone. The error wraps fs.ErrExist if there is one.
func WriteNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return finish(f, data)
}

func finish(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
