package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain puts this very program into PATH as parley, for scripts and for the machines of a LAN:
// what is tested is the command as typed.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"parley": func() { os.Exit(realMain()) }})
}
