package meta

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/parley-chat/parley"

// tree is the repository as the rules see it.
type tree struct {
	fset  *token.FileSet
	files []*file
}

// file is one text file of the repository.
type file struct {
	path      string // from the root, with slashes
	text      []byte
	ast       *ast.File // nil unless Go
	generated bool
}

func (f *file) dir() string  { return path.Dir(f.path) }
func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) isMain() bool { return f.ast.Name.Name == "main" }

// under tells whether the file lies in dir or below it.
func (f *file) under(dir string) bool {
	return f.dir() == dir || strings.HasPrefix(f.path, dir+"/")
}

// imports lists the paths a Go file imports.
func (f *file) imports() []string {
	var paths []string
	for _, s := range f.ast.Imports {
		paths = append(paths, strings.Trim(s.Path.Value, `"`))
	}
	return paths
}

var generatedMark = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// add takes a file in; Go files are parsed.
func (t *tree) add(name string, text []byte) error {
	f := &file{path: name, text: text, generated: generatedMark.Match(text)}
	if strings.HasSuffix(name, ".go") {
		parsed, err := parser.ParseFile(t.fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		f.ast = parsed
	}
	t.files = append(t.files, f)
	return nil
}

// goFiles lists the Go files for which all of keep hold.
func (t *tree) goFiles(keep ...func(*file) bool) []*file {
	var out []*file
	for _, f := range t.files {
		if f.ast != nil && !slices.ContainsFunc(keep, func(k func(*file) bool) bool { return !k(f) }) {
			out = append(out, f)
		}
	}
	return out
}

// product keeps what ends up in programs that embed or run Parley.
func product(f *file) bool { return !f.isTest() && !f.under("tools") }

// at formats a finding at a place in a Go file.
func (t *tree) at(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s: %s", t.fset.Position(pos), fmt.Sprintf(format, args...))
}

// root is the directory that holds the module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// skipped names directories that hold nothing of ours to read.
var skipped = map[string]bool{".git": true, "bin": true, "dist": true, "node_modules": true}

// repository reads every text file.
func repository(t *testing.T) *tree {
	t.Helper()
	out := &tree{fset: token.NewFileSet()}
	base := root(t)
	err := filepath.WalkDir(base, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped[d.Name()] {
				return filepath.SkipDir
			}
			return nil
		}
		if skipped[d.Name()] { // a work tree's .git is a file, its bin may be a link
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err
		}
		rel, err := filepath.Rel(base, p)
		if err != nil {
			return err
		}
		return out.add(filepath.ToSlash(rel), text)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
