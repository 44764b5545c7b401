package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string // of build-output
}

// testID names a test of a package; the test is "" for the package itself.
type testID struct{ pkg, test string }

// report collects events and prints what a reader needs of them.
type report struct {
	w      io.Writer
	output map[testID][]string // of what has not ended yet
	groups map[string]*group

	passed, failed, skipped int
}

// group is a set of tests that did not run for one reason or several.
type group struct {
	tests   int
	reasons map[string]bool
}

func newReport(w io.Writer) *report {
	return &report{w: w, output: make(map[testID][]string), groups: make(map[string]*group)}
}

// read takes in events until the end of r. Lines that are no events are printed as they are.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(r.w, "%s", line)
			} else {
				r.event(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) event(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.w, e.Output)
	case "output":
		r.output[id] = append(r.output[id], e.Output)
	case "pass", "fail", "skip":
		r.end(id, e.Action)
		delete(r.output, id)
	}
}

func (r *report) end(id testID, action string) {
	if id.test == "" {
		r.endPackage(id.pkg, action)
		return
	}
	switch action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.print(id)
	case "skip":
		r.skipped++
		r.noteGroup(r.output[id])
	}
}

// endPackage prints a failed package's output whole, that of tests that never ended first, and of
// others the closing line alone.
func (r *report) endPackage(pkg, action string) {
	if action == "fail" {
		for _, id := range r.unfinished(pkg) {
			r.failed++
			r.print(id)
			delete(r.output, id)
		}
		r.print(testID{pkg, ""})
		return
	}
	for _, line := range r.output[testID{pkg, ""}] {
		if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
			fmt.Fprint(r.w, line)
		}
	}
}

// unfinished lists the tests of a package whose output is still held.
func (r *report) unfinished(pkg string) []testID {
	var ids []testID
	for id := range r.output {
		if id.pkg == pkg && id.test != "" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b testID) int { return strings.Compare(a.test, b.test) })
	return ids
}

func (r *report) print(id testID) {
	for _, line := range r.output[id] {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(r.w, line)
		}
	}
}

// groupReason is what a test skips with that needs more than Go.
var groupReason = regexp.MustCompile(`: group ([a-z0-9-]+): (.+)`)

func (r *report) noteGroup(output []string) {
	for _, line := range output {
		m := groupReason.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		g := r.groups[m[1]]
		if g == nil {
			g = &group{reasons: make(map[string]bool)}
			r.groups[m[1]] = g
		}
		g.tests++
		g.reasons[m[2]] = true
		return
	}
}

// close prints the last two lines and tells whether all is well.
func (r *report) close(strict bool) bool {
	fmt.Fprintln(r.w, r.groupLine())
	fmt.Fprintf(r.w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.failed == 0 && (!strict || len(r.groups) == 0)
}

func (r *report) groupLine() string {
	if len(r.groups) == 0 {
		return "groups: all ran"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.groups)) {
		g := r.groups[name]
		reasons := strings.Join(slices.Sorted(maps.Keys(g.reasons)), "; ")
		parts = append(parts, fmt.Sprintf("%s did not run (%d tests): %s", name, g.tests, reasons))
	}
	return "groups: " + strings.Join(parts, " | ")
}
