package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module with one test file and makes it the working directory.
func module(t *testing.T, test string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.com/m\n\ngo 1.26\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\n" + test,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, test string
		strict     bool
		ok         bool
		want       []string // each in the output
		not        string   // not in the output
	}{
		{
			name: "all pass", test: `func TestA(t *testing.T) { t.Log("quiet") }`, strict: true, ok: true,
			want: []string{"ok  \texample.com/m", "groups: all ran\n1 passed, 0 failed, 0 skipped\n"}, not: "quiet",
		},
		{
			name: "a group did not run", test: `func TestA(t *testing.T) { t.Skip("group root: no root") }
func TestB(t *testing.T) { t.Skip("group root: no root") }`, ok: true,
			want: []string{"groups: root did not run (2 tests): no root\n0 passed, 0 failed, 2 skipped\n"},
		},
		{
			name: "strictly that is a failure", test: `func TestA(t *testing.T) { t.Skip("group root: no root") }`,
			strict: true, want: []string{"groups: root did not run"},
		},
		{
			name: "another skip is none of a group's", test: `func TestA(t *testing.T) { t.Skip("not on this system") }`,
			strict: true, ok: true, want: []string{"groups: all ran\n0 passed, 0 failed, 1 skipped\n"},
		},
		{
			name: "a failure shows its output", test: `func TestA(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Error("broken") }) }
func TestB(t *testing.T) { t.Log("quiet") }`,
			want: []string{"broken", "FAIL\texample.com/m", "1 passed, 2 failed, 0 skipped\n"}, not: "quiet",
		},
		{
			name: "a panic shows its trace", test: `func TestA(t *testing.T) { panic("out of order") }`,
			want: []string{"out of order", "m_test.go", "1 failed"},
		},
		{
			name: "a build error is shown", test: `func TestA(t *testing.T) { undefined() }`,
			want: []string{"undefined: undefined", "FAIL"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			module(t, c.test)
			var out strings.Builder
			ok, err := run([]string{"./..."}, &out, c.strict)
			if err != nil || ok != c.ok {
				t.Errorf("run: %t, %v, want %t", ok, err, c.ok)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in:\n%s", w, out.String())
				}
			}
			if c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("%q in:\n%s", c.not, out.String())
			}
		})
	}
}
