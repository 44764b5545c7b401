package meta

import (
	"go/ast"
	"slices"
	"strings"
)

// pure packages decide without doing: no goroutine, clock, socket, file or global randomness.
var pure = []string{
	"internal/event", "internal/reconcile", "internal/hello", "internal/ticket", "internal/strict", "internal/membership", "internal/e2ee",
	"internal/certs", "internal/fault", "internal/registry", "internal/wire", "internal/heartbeat",
}

func isPure(f *file) bool { return underAny(f.dir(), pure...) }

// impureImports are what a pure package does not import, nor anything below them.
var impureImports = []string{
	"os", "net", "io/fs", "io/ioutil", "math/rand", "crypto/rand", "log", "log/slog", "testing/synctest", "syscall", "unsafe",
	"github.com/libp2p/go-libp2p/p2p", "github.com/libp2p/go-libp2p/core/host", "github.com/libp2p/go-libp2p/core/network",
}

// clockCalls are the functions of package time that read the clock or wait for it.
var clockCalls = []string{
	"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick",
}

func purity(t *tree) (bad []string) {
	for _, f := range t.goFiles(product, isPure) {
		for _, imp := range f.imports() {
			if to, ours := strings.CutPrefix(imp, module+"/"); ours && !underAny(to, pure...) {
				bad = append(bad, f.path+": a pure package imports only pure ones, not "+to)
			}
			if underAny(imp, impureImports...) {
				bad = append(bad, f.path+": a pure package does not import "+imp)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				bad = append(bad, t.at(n.Pos(), "a pure package starts no goroutine"))
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clockCalls, n.Sel.Name) {
					bad = append(bad, t.at(n.Pos(), "a pure package is given the time, it does not call time.%s", n.Sel.Name))
				}
			}
			return true
		})
	}
	return bad
}

// onlyInMain: what only a program's main package does. Libraries return errors and log through what
// they are handed.
func onlyInMain(t *tree) (bad []string) {
	for _, f := range t.goFiles(product) {
		if f.isMain() || f.under("cmd") || f.generated {
			continue
		}
		for _, imp := range f.imports() {
			if imp == "log" {
				bad = append(bad, f.path+": package log is for main packages, others are handed a *slog.Logger")
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if name := forbiddenCall(n); name != "" {
				bad = append(bad, t.at(n.Pos(), "%s is for main packages", name))
			}
			return true
		})
	}
	return bad
}

// forbiddenCall names the printing, exiting or default-logger function that n is, if any.
func forbiddenCall(n ast.Node) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || pkg.Obj != nil { // a local variable that shares the package's name
		return ""
	}
	switch name := pkg.Name + "." + sel.Sel.Name; name {
	case "fmt.Print", "fmt.Printf", "fmt.Println", "os.Exit", "os.Stdout", "os.Stderr",
		"slog.Default", "slog.SetDefault", "slog.Debug", "slog.Info", "slog.Warn", "slog.Error":
		return name
	}
	return ""
}

// mainPlaces: programs live where people look for them.
func mainPlaces(t *tree) (bad []string) {
	for _, f := range t.goFiles() {
		if f.isMain() && !f.isTest() && !underAny(f.dir(), "cmd", "examples", "tools", "internal/testrun") {
			bad = append(bad, f.path+": main packages belong in cmd, examples or tools")
		}
	}
	return bad
}

// noSleep: a test waits for what it waits for. Where a package's tests run in fake time, time passes
// by sleeping.
func noSleep(t *tree) (bad []string) {
	fake := make(map[string]bool)
	for _, f := range t.goFiles((*file).isTest) {
		if slices.Contains(f.imports(), "testing/synctest") {
			fake[f.dir()] = true
		}
	}
	for _, f := range t.goFiles((*file).isTest) {
		if fake[f.dir()] {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && selector(sel) == "time.Sleep" {
				bad = append(bad, t.at(n.Pos(), "a test sleeps in fake time only: wait for the event"))
			}
			return true
		})
	}
	return bad
}
