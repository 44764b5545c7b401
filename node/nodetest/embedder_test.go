package nodetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// codeFile is a block of code in the page that is a file: it begins with its name.
var codeFile = regexp.MustCompile("(?s)```go\n// ([a-z_]+\\.go)\n(.*?)\n```")

// The program and its test that docs/embedding.md shows are a module of their own, which needs
// nothing but what this one does: it builds and passes.
func TestAModuleOfItsOwnEmbedsAndTests(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program: not under the race detector")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/embedding.md"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	const parley = "github.com/parley-chat/parley"
	mod := strings.Replace(string(ours), "module "+parley, "module example.com/greeter", 1) +
		"\nrequire " + parley + " v0.0.0\n\nreplace " + parley + " => " + filepath.ToSlash(root) + "\n"
	files := map[string]string{"go.mod": mod, "go.sum": string(sums)}
	for _, m := range codeFile.FindAllStringSubmatch(string(page), -1) {
		files[m[1]] = m[2] + "\n"
	}
	if len(files) != 4 {
		t.Fatalf("the page has %d files of code, want 2", len(files)-2)
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-count=1", "-v", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestNewcomersAreGreetedOnce") {
		t.Errorf("%v\n%s", err, out)
	}
}
