package bench

import (
	"errors"
	"os"
)

// CanPause says whether members can be stopped and slowed on this platform.
const CanPause = false

var errPause = errors.New("a process cannot be paused on this platform")

func pause(*os.Process) error  { return errPause }
func resume(*os.Process) error { return errPause }
