//go:build unix

package bench

import (
	"math"
	"syscall"
)

// OpenFiles is how many files and connections a process may have open: Go has
// raised that to as many as the system lets it have, and does so in members.
func OpenFiles() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return math.MaxInt // what is wrong shows when they are opened
	}
	return int(min(uint64(l.Cur), math.MaxInt))
}
