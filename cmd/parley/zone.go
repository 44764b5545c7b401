package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/dht"
	"github.com/parley-chat/parley/node"
)

// zoneFile remembers in the data directory the zone that was given last.
const zoneFile = "zone"

// zoneSetting is the flag --zone. One that is given, be it empty, takes the
// place of the one remembered.
type zoneSetting struct {
	value string
	given func() bool
}

func (a *app) zoneFlag(c *cobra.Command, z *zoneSetting) {
	c.Flags().StringVar(&z.value, "zone", "", a.text.T("the site, floor or rack this node is in, as `ZONE` (default: the one remembered)"))
	z.given = func() bool { return c.Flags().Changed("zone") }
}

// in returns the zone of the node on a directory.
func (z *zoneSetting) in(a *app) (string, error) {
	if z.given == nil || z.given() {
		return z.value, a.checkZone("--zone", z.value)
	}
	b, err := os.ReadFile(filepath.Join(a.dir, zoneFile))
	if err != nil { // none was given yet, or the node will say what is wrong with the directory
		return "", nil
	}
	zone := strings.TrimSuffix(string(b), "\n")
	return zone, a.checkZone(filepath.Join(a.dir, zoneFile), zone)
}

// remember writes down the zone that was given, or that none is.
func (z *zoneSetting) remember(dir string) (err error) {
	if z.given == nil || !z.given() {
		return nil
	}
	path := filepath.Join(dir, zoneFile)
	if z.value == "" {
		err = os.Remove(path)
	} else if err = os.WriteFile(path+".new", []byte(z.value+"\n"), 0o600); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errFile.With(err)
	}
	return nil
}

func (a *app) checkZone(where, zone string) error {
	if node.ValidateZone(zone) == nil {
		return nil
	}
	return a.badValue(where, zone, a.text.T("it is at most 64 bytes that can be seen"))
}

// shortAddress is a node's address in its zone, in hex; a node without a zone
// has none.
func shortAddress(zone string, id peer.ID) string {
	if zone == "" {
		return ""
	}
	return fmt.Sprintf("%016x", dht.ShortAddress(zone, id))
}
