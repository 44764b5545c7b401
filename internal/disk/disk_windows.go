package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// SyncDir has nothing to do: a directory cannot be synced here, and a rename does
// not need it.
func SyncDir(string) error { return nil }

// HasModes: the modes that Go shows are made up; who may read a file is said by the
// access list it inherits from the directory.
const HasModes = false
