package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestHintsCallTheProgramAsTheShellFindsIt(t *testing.T) {
	dir := t.TempDir()
	program, other := filepath.Join(dir, "parley"), filepath.Join(dir, "other")
	for _, file := range []string{program, other} {
		if err := os.WriteFile(file, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	in := func(found string) func(string) (string, error) {
		return func(string) (string, error) {
			if found == "" {
				return "", errors.New("not found")
			}
			return found, nil
		}
	}
	for _, c := range []struct{ executable, found, want string }{
		{program, program, "parley"},
		{program, "", quote(program)},
		{program, other, quote(program)}, // an older one is installed
		{"", "", "parley"},
		{filepath.Join(dir, "go-build12", "b001", "exe", "parley"), program, "go run ./cmd/parley"},
	} {
		if got := programName(c.executable, in(c.found)); got != c.want {
			t.Errorf("%s, in PATH %q: %s, want %s", c.executable, c.found, got, c.want)
		}
	}
	a := testApp(dir)
	a.name = "bin/parley"
	if got, want := a.typed("status"), "bin/parley status --dir "+quote(dir); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
