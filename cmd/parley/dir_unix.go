//go:build unix && !darwin

package main

import (
	"os"
	"path/filepath"
)

// defaultDir is where a person's data lies by the custom of the platform.
func defaultDir(getenv func(string) string) (string, error) {
	if base := getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "parley"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share", "parley"), err
}
