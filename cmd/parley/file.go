package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// writeFile puts a file that its owner alone can read in place, whole: what
// write fails to write leaves nothing behind.
func writeFile(path string, write func(w io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".parley-") // 0600
	if err != nil {
		return errFile.With(err)
	}
	defer os.Remove(f.Name()) // nothing is there any more after the rename
	out := bufio.NewWriter(f)
	if err := write(out); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(out.Flush(), f.Sync(), f.Close()); err != nil {
		return errFile.With(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errFile.With(err)
	}
	return nil
}
