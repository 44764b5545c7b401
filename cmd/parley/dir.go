package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// defaultDir is where a person's data lies by the custom of the platform.
func defaultDir(getenv func(string) string) (string, error) {
	switch runtime.GOOS {
	case "windows":
		if base := getenv("LocalAppData"); base != "" {
			return filepath.Join(base, "Parley"), nil
		}
		return "", errors.New("%LocalAppData% is not set")
	case "darwin":
		home, err := os.UserHomeDir()
		return filepath.Join(home, "Library", "Application Support", "Parley"), err
	}
	if base := getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "parley"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share", "parley"), err
}
