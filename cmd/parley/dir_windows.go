package main

import (
	"errors"
	"path/filepath"
)

// defaultDir is where a person's data lies by the custom of the platform.
func defaultDir(getenv func(string) string) (string, error) {
	if base := getenv("LocalAppData"); base != "" {
		return filepath.Join(base, "Parley"), nil
	}
	return "", errors.New("%LocalAppData% is not set")
}
