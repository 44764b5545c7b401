package node

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-chat/parley/internal/disk"
)

// lockFile is locked while a node runs on its directory. It is left in place:
// removing it would let two processes hold locks on different files.
const lockFile = "lock"

// lockDir takes the lock of a data directory; the lock ends with the process
// however it ends. Errors: ErrDirBusy, ErrDir.
func lockDir(dir string) (*os.File, error) { return lockIn(dir, lockFile) }

// A command and a running node change the network's record for moments: each waits
// for the other so often, and so long between.
const (
	lockTries = 50
	lockPause = 10 * time.Millisecond
)

// lockNetwork takes the lock of the network's record. Errors: ErrDirBusy, ErrDir.
func lockNetwork(dir string) (*os.File, error) {
	for tries := 1; ; tries++ {
		f, err := lockIn(dir, networkLock)
		if !errors.Is(err, ErrDirBusy) || tries == lockTries {
			return f, err
		}
		time.Sleep(lockPause)
	}
}

// lockIn takes the lock of a file of this name in a data directory.
func lockIn(dir, name string) (*os.File, error) {
	f, err := disk.Lock(filepath.Join(dir, name))
	if errors.Is(err, disk.ErrLocked) {
		return nil, ErrDirBusy
	}
	if err != nil {
		return nil, ErrDir.With(err)
	}
	return f, nil
}
