package eventlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// dropEmptyLogs removes memtable logs and value-log files of a closed store that
// have no bytes at all. badger makes such a file before it gives it a size, and
// takes the size away before it removes one of which everything is elsewhere:
// who is killed between the two leaves it behind, and badger does not open a
// store with one.
func dropEmptyLogs(dir string) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err // only of a bad pattern
		}
		for _, path := range files {
			info, err := os.Stat(path)
			if err == nil && info.Size() == 0 {
				err = os.Remove(path)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
