package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programName is how this program is called in what people may paste into a
// shell: by its name where the shell finds it, else by its path. What go run
// has built is gone when it ends: that is called as it was.
func programName(executable string, lookPath func(string) (string, error)) string {
	if strings.Contains(executable, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/parley"
	}
	if found, err := lookPath("parley"); executable == "" || err == nil && same(found, executable) {
		return "parley"
	}
	return quote(executable)
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func ownName() string {
	executable, err := os.Executable()
	if err != nil {
		executable = ""
	}
	return programName(executable, exec.LookPath)
}

// shell is a command line for this very directory.
func (a *app) shell(command string) string {
	return a.program() + command + a.dirFlag()
}

// program is parley unless main found another name for it.
func (a *app) program() string {
	if a.name == "" {
		return "parley"
	}
	return a.name
}
