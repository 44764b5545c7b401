package meta

import (
	"fmt"
	"regexp"
	"strings"
)

const protocolDir = "docs/protocol"

var (
	// specReference is how code cites the protocol, as in "spec: 03-events §4.2", or without a
	// section for a whole page.
	specReference = regexp.MustCompile(`\bspec: ([0-9]+-[a-z0-9-]+)(?: (§[0-9]+(?:\.[0-9]+)*))?`)
	specMention   = regexp.MustCompile(`//\s*spec:`)
	// heading is a numbered heading of a page.
	heading = regexp.MustCompile(`(?m)^#+ §?\s?([0-9]+(?:\.[0-9]+)*)\.?\s`)
	// namedTest is a test that a page names beside a sentence it holds.
	namedTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// specReferences: what the code cites exists in docs/protocol, and the tests that the pages name
// exist in the code.
func specReferences(t *tree) (bad []string) {
	sections, tests := make(map[string]bool), make(map[string]bool)
	for _, f := range t.files {
		if page, ok := protocolPage(f); ok {
			sections[page] = true
			for _, m := range heading.FindAllSubmatch(f.text, -1) {
				sections[page+" §"+string(m[1])] = true
			}
		}
		if f.ast != nil && f.isTest() {
			for _, m := range testFunc.FindAllSubmatch(f.text, -1) {
				tests[string(m[1])] = true
			}
		}
	}
	for _, f := range t.files {
		if f.under("internal/meta") {
			continue
		}
		if _, ok := protocolPage(f); ok {
			bad = append(bad, missingTests(f, tests)...)
		}
		if f.ast != nil {
			bad = append(bad, missingSections(f, sections)...)
		}
	}
	return bad
}

func protocolPage(f *file) (name string, ok bool) {
	name, isPage := strings.CutSuffix(strings.TrimPrefix(f.path, protocolDir+"/"), ".md")
	return name, isPage && f.dir() == protocolDir
}

func missingTests(page *file, tests map[string]bool) (bad []string) {
	for _, m := range namedTest.FindAllSubmatch(page.text, -1) {
		if name := string(m[1]); !tests[name] {
			bad = append(bad, page.path+": names "+name+", and there is no such test")
		}
	}
	return bad
}

func missingSections(f *file, sections map[string]bool) (bad []string) {
	for i, line := range strings.Split(string(f.text), "\n") {
		refs := specReference.FindAllStringSubmatch(line, -1)
		if specMention.MatchString(line) && refs == nil {
			bad = append(bad, fmt.Sprintf("%s:%d: write it as \"spec: PAGE §1.2\"", f.path, i+1))
		}
		for _, m := range refs {
			if ref := strings.TrimSpace(m[1] + " " + m[2]); !sections[ref] {
				bad = append(bad, fmt.Sprintf("%s:%d: docs/protocol has no %s", f.path, i+1, ref))
			}
		}
	}
	return bad
}
