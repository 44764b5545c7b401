package eventlog

import (
	"errors"

	"golang.org/x/sys/windows"
)

// readOnly reports whether an error is that of a medium without writing.
func readOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// noSpace reports whether an error is that of a full disk, or a quota. Go's own
// ENOSPC is never met on Windows.
func noSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
