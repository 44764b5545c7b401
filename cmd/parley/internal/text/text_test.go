package text

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/fault"
)

// speaking are the functions of the command whose first text is translated:
// T itself and those that hand theirs to it.
var speaking = map[string]bool{"T": true, "t": true, "say": true, "note": true, "usage": true, "print": true}

// spoken finds every text that the command hands to a translation, and every
// string literal there is.
func spoken(t *testing.T) (texts map[string]string, literals map[string]bool) {
	t.Helper()
	texts, literals = map[string]string{}, map[string]bool{}
	fset := token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || d.Name() == "chinese.go" || d.Name() == "registrars.go" && filepath.Base(filepath.Dir(path)) == "text" {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := literal(n); ok {
				literals[s] = true
			}
			if call, ok := n.(*ast.CallExpr); ok && speaking[callee(call)] {
				for _, arg := range call.Args {
					if s, ok := literal(arg); ok && isText(callee(call), s) {
						texts[s] = fset.Position(arg.Pos()).String()
						break
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts, literals
}

// isText leaves out what stands before the text in usage("parley send", "…").
func isText(function, s string) bool { return function != "usage" || !strings.HasPrefix(s, "parley") }

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func TestNoTextLacksTranslation(t *testing.T) {
	texts, literals := spoken(t)
	if len(texts) < 100 {
		t.Fatalf("only %d texts found: the search is broken", len(texts))
	}
	for s, at := range texts {
		if _, ok := chinese[s]; !ok && s != "%s" {
			t.Errorf("%s: no Chinese for %q", at, s)
		}
	}
	for s := range chinese {
		if !literals[s] {
			t.Errorf("nobody says %q any more", s)
		}
	}
}

var verbs = regexp.MustCompile(`%[a-z]`)

func TestTranslationsTakeTheSameArguments(t *testing.T) {
	for en, zh := range chinese {
		if zh == "" {
			t.Errorf("%q: empty", en)
		}
		if a, b := strings.Join(verbs.FindAllString(en, -1), ""), strings.Join(verbs.FindAllString(zh, -1), ""); a != b {
			t.Errorf("%q takes %s, its translation %s", en, a, b)
		}
		if strings.Count(en, "`") != strings.Count(zh, "`") {
			t.Errorf("%q: the back quotes of %q differ", en, zh)
		}
	}
}

var row = regexp.MustCompile(`(?m)^\| (P\d{4}) \| \w+ \| (.*?) \| (.*?) ?\|$`)

func TestNoFaultLacksTranslation(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := row.FindAllSubmatch(page, -1)
	listed := map[string]bool{}
	for _, r := range rows {
		code, what, do := string(r[1]), string(r[2]), strings.TrimSpace(string(r[3]))
		listed[code] = true
		got, ok := chineseFaults[code]
		switch {
		case !ok:
			t.Errorf("no Chinese for %s: %s: %s", code, what, do)
		case got.what != what || got.do != do:
			t.Errorf("%s says %q, %q now: look at its translation again", code, what, do)
		case got.zhWhat == "" || (got.do == "") != (got.zhDo == ""):
			t.Errorf("%s is translated by half", code)
		}
	}
	if len(listed) < 40 {
		t.Fatalf("only %d codes found: the search is broken", len(listed))
	}
	for code := range chineseFaults {
		if !listed[code] {
			t.Errorf("%s is not in docs/errors.md any more", code)
		}
	}
}

func printer(lang string) *Printer {
	return New(func(name string) string { return map[string]string{"LANG": lang}[name] })
}

func TestLanguage(t *testing.T) {
	chinese := map[string]bool{
		"": false, "C": false, "POSIX": false, "en_US.UTF-8": false, "de_DE": false, "nonsense!": false,
		"zh_CN.UTF-8": true, "zh_CN": true, "zh": true, "zh_SG.utf8": true, "zh_CN.UTF-8@pinyin": true,
	}
	for lang, want := range chinese {
		if got := printer(lang).T("yes") == "是"; got != want {
			t.Errorf("LANG=%s: Chinese is %v, want %v", lang, got, want)
		}
	}
	p := New(func(name string) string { return map[string]string{"LANG": "zh_CN", "LC_ALL": "C"}[name] })
	if got := p.T("yes"); got != "yes" {
		t.Errorf("LC_ALL=C does not win over LANG: %q", got)
	}
}

func TestFaultsByCode(t *testing.T) {
	declared := fault.New("P2003", fault.Environment, "another Parley runs on this directory", "stop it or choose another directory")
	cases := []struct {
		fault *fault.Error
		want  string
	}{
		{declared, "该目录上已有另一个 Parley 在运行: 停止它或换一个 --dir (P2003)"},
		{declared.With(errors.New("EAGAIN")), "该目录上已有另一个 Parley 在运行: EAGAIN: 停止它或换一个 --dir (P2003)"},
		{declared.Withf("it is pid 7"), "该目录上已有另一个 Parley 在运行（it is pid 7）: 停止它或换一个 --dir (P2003)"},
		{declared.WithDo("kill 7"), "该目录上已有另一个 Parley 在运行: 停止它或换一个 --dir（kill 7） (P2003)"},
	}
	for _, c := range cases {
		if got := printer("zh_CN.UTF-8").Fault(c.fault); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
		if got, want := printer("C").Fault(c.fault), strings.Replace(c.fault.Error(), "another directory", "another --dir", 1); got != want {
			t.Errorf("English: got %s, want %s", got, want)
		}
	}
	unknown := fault.New("P9999", fault.Bug, "new", "")
	if got := printer("zh_CN").Fault(unknown); got != unknown.Error() {
		t.Errorf("a code without translation: %s", got)
	}
}
