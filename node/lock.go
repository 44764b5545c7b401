package node

import (
	"errors"
	"os"
	"path/filepath"
)

// lockFile is locked while a node runs on its directory. It is left in place:
// removing it would let two processes hold locks on different files.
const lockFile = "lock"

// errLocked is what lockHandle returns when another process holds the lock.
var errLocked = errors.New("locked")

// lockDir takes the lock of a data directory; the lock ends with the process
// however it ends. Errors: ErrDirBusy, ErrDir.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, ErrDir.With(err)
	}
	err = lockHandle(f)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, errLocked) {
		return nil, ErrDirBusy
	}
	return nil, ErrDir.With(err)
}
