package eventlog

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// dropEmptyLogs removes the newest memtable log and the newest value-log file of
// a closed store where they have no bytes at all. badger makes such a file
// before it gives it a size and a header: who is killed between the two leaves
// it behind, and badger does not open a store with one. Nothing was in it. An
// older file without bytes has lost them and stays, for badger to refuse.
func dropEmptyLogs(dir string) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			continue // only of a bad pattern
		}
		newest := slices.MaxFunc(files, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // they are numbers
		})
		info, err := os.Stat(newest)
		if err == nil && info.Size() == 0 {
			err = os.Remove(newest)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
