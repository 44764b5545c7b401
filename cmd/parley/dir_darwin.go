package main

import (
	"os"
	"path/filepath"
)

// defaultDir is where a person's data lies by the custom of the platform.
func defaultDir(func(string) string) (string, error) {
	home, err := os.UserHomeDir()
	return filepath.Join(home, "Library", "Application Support", "Parley"), err
}
