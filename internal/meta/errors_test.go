package meta

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/errors.md from the source")

const (
	errorsPage  = "docs/errors.md"
	tableHeader = "| code | blame | what happened | what to do |\n|---|---|---|---|\n"
)

// declaration is one fault.New in the source.
type declaration struct {
	code, blame, what, do string
	dir, at               string
}

func (d declaration) row() string {
	return fmt.Sprintf("| %s | %s | %s | %s |\n", d.code, d.blame, d.what, d.do)
}

// ranges says which folders declare codes of which thousand.
var ranges = map[byte][]string{
	'1': {"cmd"}, '2': {"node", "dht", "internal"}, '3': {"internal"}, '4': {"chat", "internal"}, '5': {"api"},
	'6': {"registrar", "internal"},
}

// declarations finds every fault.New, sorted by code, and what is wrong with them.
func declarations(t *tree) (all []declaration, bad []string) {
	for _, f := range t.goFiles(product) {
		if f.under("internal/fault") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || selector(call.Fun) != "fault.New" {
				return true
			}
			d, err := declare(call)
			d.dir, d.at = f.dir(), t.fset.Position(call.Pos()).String()
			if err != nil {
				bad = append(bad, d.at+": "+err.Error())
				return true
			}
			if !underAny(d.dir, ranges[d.code[1]]...) {
				bad = append(bad, d.at+": "+d.code+" is not of this folder's thousand")
			}
			all = append(all, d)
			return true
		})
	}
	slices.SortStableFunc(all, func(a, b declaration) int { return strings.Compare(a.code, b.code) })
	for i := 1; i < len(all); i++ {
		if all[i].code == all[i-1].code {
			bad = append(bad, all[i].at+": "+all[i].code+" is declared at "+all[i-1].at+" too")
		}
	}
	return all, bad
}

func selector(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// declare reads the arguments of fault.New, which are literals so that the page can list them.
func declare(call *ast.CallExpr) (d declaration, err error) {
	if len(call.Args) != 4 {
		return d, fmt.Errorf("fault.New takes four arguments")
	}
	d.blame = strings.ToLower(strings.TrimPrefix(selector(call.Args[1]), "fault."))
	for i, into := range map[int]*string{0: &d.code, 2: &d.what, 3: &d.do} {
		if *into, err = literal(call.Args[i]); err != nil {
			return d, err
		}
	}
	if len(d.code) != 5 {
		return d, fmt.Errorf("%q is not a code", d.code)
	}
	return d, nil
}

// literal is the value of a string literal or of several joined by +.
func literal(e ast.Expr) (string, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return strconv.Unquote(e.Value)
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			x, errX := literal(e.X)
			y, errY := literal(e.Y)
			if errX == nil && errY == nil {
				return x + y, nil
			}
		}
	}
	return "", fmt.Errorf("fault.New's texts are literals, for docs/errors.md lists them")
}

// errorCodes: docs/errors.md lists the codes of the source, word for word and in order.
func errorCodes(t *tree) []string {
	all, bad := declarations(t)
	if len(all) == 0 {
		return bad
	}
	var page []byte
	for _, f := range t.files {
		if f.path == errorsPage {
			page = f.text
		}
	}
	_, table, found := bytes.Cut(page, []byte(tableHeader))
	if !found {
		return append(bad, errorsPage+": has no table")
	}
	listed := make(map[string]bool)
	for row := range strings.Lines(string(table)) {
		listed[row] = true
	}
	for _, d := range all {
		if !listed[d.row()] {
			bad = append(bad, d.at+": docs/errors.md lacks this row (make gen writes it): "+strings.TrimSpace(d.row()))
		}
		delete(listed, d.row())
	}
	for row := range listed {
		bad = append(bad, errorsPage+": the source has no such error (make gen removes it): "+strings.TrimSpace(row))
	}
	if len(bad) == 0 && string(table) != rows(all) {
		bad = append(bad, errorsPage+": the table is not in order, or something follows it (make gen)")
	}
	return bad
}

func rows(all []declaration) string {
	var out strings.Builder
	for _, d := range all {
		out.WriteString(d.row())
	}
	return out.String()
}

func TestErrorCodes(t *testing.T) {
	if *update {
		writeErrors(t)
	}
	report(t, errorCodes(repository(t)))
}

// writeErrors writes the table; what stands above it is kept.
func writeErrors(t *testing.T) {
	t.Helper()
	all, bad := declarations(repository(t))
	report(t, bad)
	name := filepath.Join(root(t), filepath.FromSlash(errorsPage))
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	above, _, found := bytes.Cut(page, []byte(tableHeader))
	if !found {
		t.Fatalf("%s has no table", errorsPage)
	}
	text := string(above) + tableHeader + rows(all)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
