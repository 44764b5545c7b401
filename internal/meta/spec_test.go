package meta

import (
	"fmt"
	"regexp"
	"strings"
)

const protocolDir = "docs/protocol"

var (
	// specReference is how code cites the protocol: a section, as in "spec: 03-events §4.2", or
	// MUSTs, as in "spec: 03-events M1, M2", or without either a whole page.
	specReference = regexp.MustCompile(`\bspec: ([0-9]+-[a-z0-9-]+)((?:,? (?:§[0-9]+(?:\.[0-9]+)*|M[0-9]+\b))*)`)
	specPart      = regexp.MustCompile(`§[0-9.]*[0-9]|M[0-9]+`)
	specMention   = regexp.MustCompile(`//\s*spec:`)
	// heading is a numbered heading of a page.
	heading = regexp.MustCompile(`(?m)^#+ §?\s?([0-9]+(?:\.[0-9]+)*)\.?\s`)
	// namedTest is a test that a page names beside a sentence it holds.
	namedTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	// vectorFile is a file of vectors that a page names.
	vectorFile = regexp.MustCompile("`([a-z]+(?:/[a-z]+)*/testdata/[A-Za-z0-9_.-]+)`")
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// specReferences: what the code cites exists in docs/protocol, and the tests and vectors that the
// pages name exist.
func specReferences(t *tree) (bad []string) {
	sections, tests, files := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, f := range t.files {
		files[f.path] = true
		if page, ok := protocolPage(f); ok {
			sections[page] = true
			for _, m := range heading.FindAllSubmatch(f.text, -1) {
				sections[page+" §"+string(m[1])] = true
			}
			for _, m := range mustTag.FindAllSubmatch(f.text, -1) {
				sections[page+" "+string(m[1])] = true
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
			for _, m := range vectorFile.FindAllSubmatch(f.text, -1) {
				if !files[string(m[1])] {
					bad = append(bad, f.path+": names "+string(m[1])+", and there is no such file")
				}
			}
		}
		if f.ast != nil || strings.HasSuffix(f.path, ".js") {
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
		refs := citations(line)
		if specMention.MatchString(line) && refs == nil {
			bad = append(bad, fmt.Sprintf("%s:%d: write it as \"spec: PAGE §1.2\" or \"spec: PAGE M3, M4\"", f.path, i+1))
		}
		for _, ref := range refs {
			if !sections[ref] {
				bad = append(bad, fmt.Sprintf("%s:%d: docs/protocol has no %s", f.path, i+1, ref))
			}
		}
	}
	return bad
}

// citations lists what a line of code cites: "03-events", "03-events §4.2", "03-events M1".
func citations(line string) (refs []string) {
	for _, m := range specReference.FindAllStringSubmatch(line, -1) {
		parts := specPart.FindAllString(m[2], -1)
		if parts == nil {
			refs = append(refs, m[1])
		}
		for _, p := range parts {
			refs = append(refs, m[1]+" "+p)
		}
	}
	return refs
}
