package meta

import (
	"path"
	"strings"
)

// layers orders the public packages: each may import those below it, and all may import internal.
// cmd and examples are above all of them, api and registrar are beside each other.
var layers = map[string]int{
	"cmd": 5, "examples": 5, "web": 4, "api": 4, "registrar": 4, "chat": 3, "node": 2, "dht": 1, "internal": 0,
}

// layerOf returns the top folder of a package of this module and its layer.
func layerOf(pkg string) (top string, layer int, known bool) {
	top, _, _ = strings.Cut(pkg, "/")
	layer, known = layers[top]
	return top, layer, known
}

// importDirection: cmd, examples → api, registrar → chat → node → dht → internal, never back.
func importDirection(t *tree) (bad []string) {
	for _, f := range t.goFiles(product) {
		top, layer, known := layerOf(f.dir())
		if !known {
			bad = append(bad, f.path+": no Go file belongs there: the layout has no such folder")
			continue
		}
		for _, imp := range f.imports() {
			to, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			toTop, toLayer, _ := layerOf(to)
			if toTop != top && toLayer >= layer && !generated(to) {
				bad = append(bad, f.path+": "+top+" must not import "+to)
			}
			if why := leaves[f.dir()]; why != nil && !why(to) {
				bad = append(bad, f.path+": "+f.dir()+" must not import "+to)
			}
		}
	}
	return bad
}

// generated is the API's messages, a leaf that a registrar speaks as well.
func generated(pkg string) bool { return underAny(pkg, "api/parley/v1") }

// leaves are packages that may import less than their layer: what of this module they may.
var leaves = map[string]func(to string) bool{
	"api/parley/v1":                 func(string) bool { return false },
	"api/parley/v1/parleyv1connect": func(to string) bool { return to == "api/parley/v1" },
	// A client never links the node it talks to.
	"api/client": func(to string) bool { return underAny(to, "api", "internal") && !underAny(to, "api/server") },
}

func underAny(pkg string, dirs ...string) bool {
	for _, d := range dirs {
		if pkg == d || strings.HasPrefix(pkg, d+"/") {
			return true
		}
	}
	return false
}

// owners are the only folders whose files, tests too, may name a library.
var owners = []struct {
	library string
	folders []string
}{
	{"github.com/dgraph-io/badger", []string{"internal/eventlog", "internal/blob", "internal/audit"}},
	{"github.com/emmansun/gmsm", []string{"internal/certs"}},
	{"github.com/spf13/", []string{"cmd"}},
	{"charm.land/", []string{"cmd"}},
	{"github.com/mdp/qrterminal", []string{"cmd"}},
	{"github.com/marcopolo/simnet", []string{"internal/testnet"}},
	{"connectrpc.com/", []string{"api", "cmd", "registrar", "examples"}},
	{"google.golang.org/protobuf/proto", []string{"api", "cmd", "registrar", "internal/wire"}},
	{"google.golang.org/protobuf/types", []string{"api", "cmd", "registrar"}},
}

// libraryOwners: badger is named in the stores alone, no user interface below cmd and api, no
// protobuf messages in node and chat.
func libraryOwners(t *tree) (bad []string) {
	for _, f := range t.goFiles() {
		if f.under("tools") {
			continue
		}
		for _, imp := range f.imports() {
			for _, o := range owners {
				if strings.HasPrefix(imp, o.library) && !underAny(f.dir(), o.folders...) {
					bad = append(bad, f.path+": "+path.Clean(o.library)+" is named only in "+strings.Join(o.folders, ", "))
				}
			}
		}
	}
	return bad
}
