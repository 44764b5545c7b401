//go:build unix

package eventlog

import (
	"errors"

	"golang.org/x/sys/unix"
)

// readOnly reports whether an error is that of a file system without writing.
func readOnly(err error) bool { return errors.Is(err, unix.EROFS) }

// noSpace reports whether an error is that of a full disk, or a quota.
func noSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
