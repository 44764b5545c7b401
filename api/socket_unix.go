//go:build unix

package api

import "os"

// shortPlaces are short enough where the usual ones may not be.
var shortPlaces = []string{"/tmp"}

// closeToOthers lets only the owner connect.
func closeToOthers(path string) error { return os.Chmod(path, 0o600) }
