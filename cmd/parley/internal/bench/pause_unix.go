//go:build unix

package bench

import (
	"os"
	"syscall"
)

// CanPause says whether members can be stopped and slowed on this platform.
const CanPause = true

// pause stops a process in its tracks; resume lets it go on.
func pause(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
