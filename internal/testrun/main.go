// Command testrun runs go test and tells at the end which groups of tests did not run.
//
//	go run ./internal/testrun [go test's flags and packages]
//
// A test that needs more than Go (root, a browser, a Debian package) skips with a reason of the
// form "group NAME: what is missing". testrun prints go test's own closing line for each package,
// the whole output of what failed, then one line on groups and one with the numbers of tests. With
// CI=true a group that did not run is a failure.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	ok, err := run(os.Args[1:], os.Stdout, os.Getenv("CI") == "true")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run tests what args name and reports to w. It is false if a test failed or, strictly, a group did
// not run.
func run(args []string, w io.Writer, strict bool) (bool, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	r := newReport(w)
	readErr := r.read(out)
	runErr := cmd.Wait()
	ok := r.close(strict)
	var failed *exec.ExitError
	if errors.As(runErr, &failed) {
		return false, readErr
	}
	return ok, errors.Join(readErr, runErr)
}
