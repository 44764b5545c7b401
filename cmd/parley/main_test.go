package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain puts this very program into PATH as parley, for scripts and for the machines of a LAN:
// what is tested is the command as typed.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"parley": main})
}

// TestScripts plays the contract as a person or a script would type it. The
// verbs beside testscript's own are in script_test.go.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":    cmdStatus,
			"node":      cmdNode,
			"start":     cmdStart,
			"await":     cmdAwait,
			"until":     cmdUntil,
			"end":       cmdEnd,
			"output":    cmdOutput,
			"keys":      cmdKeys,
			"registrar": cmdRegistrar,
			"field":     cmdField,
			"get":       cmdGet,
			"taken":     cmdTaken,
			"auditlog":  cmdAuditlog,
		},
		Condition: func(cond string) (bool, error) {
			return cond == "root" && os.Getuid() == 0, nil
		},
	})
}
