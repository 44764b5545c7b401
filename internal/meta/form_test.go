package meta

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"path"
	"regexp"
	"strings"
)

// maxLines of a Go file, at which there are surely two subjects in it.
const maxLines = 450

func fileLength(t *tree) (bad []string) {
	for _, f := range t.goFiles() {
		if lines := bytes.Count(f.text, []byte("\n")); lines > maxLines && !f.generated {
			bad = append(bad, fmt.Sprintf("%s: %d lines, more than %d: which two subjects are in it?", f.path, lines, maxLines))
		}
	}
	return bad
}

func formatted(t *tree) (bad []string) {
	for _, f := range t.goFiles() {
		if want, err := format.Source(f.text); err != nil || !bytes.Equal(want, f.text) {
			bad = append(bad, f.path+": not as gofmt prints it")
		}
	}
	return bad
}

// noLeftovers: what is to do is an issue, not a comment.
func noLeftovers(t *tree) (bad []string) {
	mark := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	for _, f := range t.files {
		if f.generated || f.path == "LICENSE" || strings.Contains(f.path, "/testdata/") || strings.HasSuffix(f.path, ".sum") {
			continue
		}
		for i, line := range strings.Split(string(f.text), "\n") {
			if m := mark.FindString(line); m != "" {
				bad = append(bad, fmt.Sprintf("%s:%d: %s", f.path, i+1, m))
			}
		}
	}
	return bad
}

// oneOverview: each package says once what it is for.
func oneOverview(t *tree) (bad []string) {
	overviews := make(map[string][]string)
	for _, f := range t.goFiles(product) {
		dir := f.dir()
		overviews[dir] = append(overviews[dir], nil...)
		if f.ast.Doc == nil || f.generated {
			continue
		}
		overviews[dir] = append(overviews[dir], f.path)
		if begin := beginnings(f); !begin.MatchString(f.ast.Doc.Text()) {
			bad = append(bad, fmt.Sprintf("%s: the overview begins with %s", f.path, begin))
		}
	}
	for dir, files := range overviews {
		if len(files) != 1 && !generatedOnly(t, dir) {
			bad = append(bad, fmt.Sprintf("%s: a package has exactly one overview, this one has %d: %s", dir, len(files), strings.Join(files, ", ")))
		}
	}
	return bad
}

// beginnings of an overview: of a package "Package x", of a program "Command x" or "X", as go doc
// prints it.
func beginnings(f *file) *regexp.Regexp {
	if !f.isMain() {
		return regexp.MustCompile("^Package " + f.ast.Name.Name + `\s`)
	}
	return regexp.MustCompile(`(?i)^(Command )?` + regexp.QuoteMeta(path.Base(f.dir())) + `\s`)
}

func generatedOnly(t *tree, dir string) bool {
	files := t.goFiles(product, func(f *file) bool { return f.dir() == dir && !f.generated })
	return len(files) == 0
}

// private is what belongs to the place a change was made at, not to the project: hosts of package
// registries, settings for them, and folders of one machine.
var private = regexp.MustCompile(`\b(proxy|sum|registry|deb)\.[a-z]+\.(org|com)\b|\bGO(PROXY|NOSUMDB)=|(^|[\s"'(=])/(root|work)/[a-z]`)

func noPrivatePlaces(t *tree) (bad []string) {
	for _, f := range t.files {
		if p := private.Find(f.text); p != nil {
			bad = append(bad, f.path+": names "+string(bytes.TrimSpace(p)))
		}
		if path.Base(f.path) == "go.mod" && regexp.MustCompile(`(?m)^\s*replace\b`).Match(f.text) {
			bad = append(bad, f.path+": has a replace directive")
		}
	}
	return bad
}

// archFile is a file, or a build tag, of one architecture.
var archFile = regexp.MustCompile(`_(amd64|arm64|386|arm)(_test)?\.go$`)

// buildTags: what differs between systems is in files of theirs, so that all of it is seen at once
// and compiled for each; nothing differs between architectures, so that each system is vetted once.
func buildTags(t *tree) (bad []string) {
	for _, f := range t.goFiles(product) {
		if archFile.MatchString(f.path) {
			bad = append(bad, f.path+": nothing here is of one architecture")
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && (selector(sel) == "runtime.GOOS" || selector(sel) == "runtime.GOARCH") {
				bad = append(bad, t.at(n.Pos(), "what differs between systems is behind a build tag"))
			}
			return true
		})
	}
	return bad
}
