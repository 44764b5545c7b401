package node

import (
	"cmp"
	"runtime/debug"
)

const module = "github.com/parley-chat/parley"

// moduleVersion is the version of this module in a program, as far as the
// program knows.
func moduleVersion(info *debug.BuildInfo, ok bool) string {
	if ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && m.Version != "" && m.Version != "(devel)" && len(m.Version) <= maxVersion {
				return m.Version
			}
		}
	}
	return "dev"
}

// Version returns what the node tells of the program it runs in ([Config.Version]).
func (n *Node) Version() string {
	return cmp.Or(n.cfg.Version, moduleVersion(debug.ReadBuildInfo()))
}
