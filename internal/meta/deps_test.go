package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// depsFile lists the modules behind package chat, on all systems together: what
// whoever embeds Parley takes along.
const depsFile = "testdata/chat.deps"

// notBehindChat is what no library of ours takes along: command lines, terminals, web servers and
// remote calls. Beside their modules, no package of ours behind chat names net/http.
var notBehindChat = []string{
	module + "/api", module + "/cmd", module + "/web", module + "/registrar", module + "/examples",
	"github.com/spf13/", "github.com/ergochat/", "github.com/mdp/", "github.com/charmbracelet/", "charm.land/",
	"golang.org/x/term", "connectrpc.com/", "google.golang.org/grpc", "github.com/rogpeppe/", "github.com/marcopolo/simnet",
}

// behind is a package that another needs.
type behind struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
}

// listBehind lists what a package needs on a system.
func listBehind(t *testing.T, system, pkg string) (all []behind) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Module", pkg)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p behind
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// unwanted says what of a package must not stand behind chat.
func unwanted(p behind) (bad []string) {
	for _, prefix := range notBehindChat {
		if strings.HasPrefix(p.ImportPath, prefix) {
			bad = append(bad, p.ImportPath+" stands behind chat: an embedding program is no command and no server")
		}
	}
	if p.Module != nil && p.Module.Path == module && slices.Contains(p.Imports, "net/http") {
		bad = append(bad, p.ImportPath+" stands behind chat and names net/http: serving belongs in api and cmd")
	}
	return bad
}

// compared says what a list has more or less than the committed one.
func compared(got, want []string) (bad []string) {
	for _, m := range got {
		if !slices.Contains(want, m) {
			bad = append(bad, "added: "+m+" now stands behind chat: say in the commit what it replaces, and list it with -update")
		}
	}
	for _, m := range want {
		if m != "" && !slices.Contains(got, m) {
			bad = append(bad, "gone: "+m+" stands behind chat no more: take it off the list with -update")
		}
	}
	return bad
}

func TestDependenciesOfChat(t *testing.T) {
	modules := make(map[string]bool)
	for _, system := range []string{"linux", "darwin", "windows"} {
		all := listBehind(t, system, "./chat")
		if len(all) < 100 {
			t.Fatalf("%s: only %d packages: is this the whole list?", system, len(all))
		}
		for _, p := range all {
			report(t, unwanted(p))
			if p.Module != nil && p.Module.Path != module {
				modules[p.Module.Path] = true
			}
		}
	}
	got := slices.Sorted(maps.Keys(modules))
	file := filepath.Join(root(t), "internal/meta", depsFile)
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	report(t, compared(got, strings.Split(string(want), "\n")))
}

func TestUnwantedBehindChat(t *testing.T) {
	ours := &struct{ Path string }{module}
	for _, p := range []behind{
		{ImportPath: module + "/api/server", Module: ours},
		{ImportPath: "github.com/spf13/cobra"},
		{ImportPath: module + "/node", Module: ours, Imports: []string{"net/http"}},
	} {
		if len(unwanted(p)) != 1 {
			t.Errorf("%s may stand behind chat", p.ImportPath)
		}
	}
	if bad := unwanted(behind{ImportPath: "github.com/gorilla/websocket", Imports: []string{"net/http"}}); bad != nil {
		t.Error(bad)
	}
	bad := compared([]string{"a", "b"}, []string{"b", "c", ""})
	if len(bad) != 2 || !strings.HasPrefix(bad[0], "added: a ") || !strings.HasPrefix(bad[1], "gone: c ") {
		t.Errorf("%q", bad)
	}
}
