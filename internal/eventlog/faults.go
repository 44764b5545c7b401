package eventlog

import (
	"context"
	"errors"
	"io/fs"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/fault"
)

// What can go wrong with a store. The texts are for people; branch on the
// variables with errors.Is.
var (
	ErrLocked = fault.New("P3001", fault.Environment, "another Parley has this store open",
		"stop it or choose another directory")
	ErrWrongKey = fault.New("P3002", fault.Environment, "the store was written with another key",
		"put back the identity.key that belongs to this directory, or choose another directory")
	ErrCorrupt = fault.New("P3003", fault.Environment, "the store is damaged",
		"run 'parley store repair': it keeps what can be read and moves the damaged store aside; what others still have comes back from them")
	ErrReadOnly = fault.New("P3004", fault.Environment, "the store cannot be written",
		"give this user write permission to the directory or choose another directory")
	ErrDiskFull = fault.New("P3005", fault.Environment, "the disk is full",
		"free some space: nothing stored is lost, and sending works again at once")
	ErrSchema = fault.New("P3006", fault.User, "the store was written by a newer Parley",
		"update Parley or choose another directory")
	ErrClosed = fault.New("P3007", fault.Bug, "the store is closed", "")
	ErrFailed = fault.New("P3008", fault.Environment, "writing to the store failed",
		"look at the disk and start Parley again: what was acknowledged is safe")
	// ErrScattered refuses one batch: it would make a log, or the number of logs,
	// grow beyond what a store holds.
	ErrScattered = fault.New("P3009", fault.Peer, "an author's events are too scattered to be stored", "")
	// ErrCut refuses what an author has written who is cut: of this node's own nothing is stored.
	ErrCut = fault.New("P3010", fault.User, "the account was revoked: what it has written since does not count",
		"ask who runs the network's registrars; what was written before stays")
)

// openFault turns an error met while opening into a coded one.
func openFault(err error) error {
	var coded *fault.Error
	switch {
	case errors.As(err, &coded), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, badger.ErrEncryptionKeyMismatch):
		return ErrWrongKey
	case errors.Is(err, fs.ErrPermission), readOnly(err):
		return ErrReadOnly.With(err)
	case noSpace(err):
		return ErrDiskFull.With(err)
	default:
		return ErrCorrupt.With(err)
	}
}

// readFault turns an error of a read into a coded one.
func readFault(err error) error {
	var coded *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, badger.ErrDBClosed):
		return ErrClosed
	default:
		return ErrCorrupt.With(err)
	}
}
