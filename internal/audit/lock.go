package audit

import (
	"errors"
	"os"

	"github.com/parley-chat/parley/internal/disk"
)

// lockFile takes the lock of a log. ErrLocked if another open log has it.
func lockFile(path string) (*os.File, error) {
	f, err := disk.Lock(path)
	if errors.Is(err, disk.ErrLocked) {
		return nil, ErrLocked
	}
	return f, err
}
