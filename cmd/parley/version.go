package main

import (
	"fmt"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// release is the version of the program; a release build sets it with
// -ldflags "-X main.release=1.2.3".
var release = ""

type version struct {
	Release string `json:"release"`
	Wire    string `json:"wire"`
	Schema  string `json:"schema"`
}

// ourVersion tells what was built: the release, else the module's version or
// the commit it was built from.
func ourVersion() version {
	v := version{
		Release: release,
		Wire:    fmt.Sprintf("%d.%d", event.Version>>8, event.Version&0xff),
		Schema:  strconv.Itoa(eventlog.SchemaVersion),
	}
	if v.Release == "" {
		v.Release = builtFrom(debug.ReadBuildInfo())
	}
	return v
}

func builtFrom(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}

func (a *app) versionCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "version",
		Short: a.text.T("print the release and the versions of wire and store"),
		Args:  a.args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			v := ourVersion()
			return a.print(v, "%s", a.versionLine(v))
		},
	})
}

func (a *app) versionLine(v version) string {
	return a.text.T("parley %s, wire %s, schema %s", v.Release, v.Wire, v.Schema)
}
