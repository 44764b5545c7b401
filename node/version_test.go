package node

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestModuleVersion(t *testing.T) {
	of := func(main, dep *debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{Main: *main, Deps: []*debug.Module{{Path: "x", Version: "v9.0.0"}, dep}}
	}
	other := &debug.Module{Path: "example.com/app", Version: "v3.0.0"}
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"in a program of others": {of(other, &debug.Module{Path: module, Version: "v1.2.3"}), "v1.2.3"},
		"in the own program":     {of(&debug.Module{Path: module, Version: "v1.2.4"}, other), "v1.2.4"},
		"while developing":       {of(&debug.Module{Path: module, Version: "(devel)"}, other), "dev"},
		"too long":               {of(other, &debug.Module{Path: module, Version: strings.Repeat("1", maxVersion+1)}), "dev"},
		"not known":              {nil, "dev"},
	} {
		if got := moduleVersion(c.info, c.info != nil); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}
