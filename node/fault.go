package node

import "github.com/parley-chat/parley/internal/fault"

// Error is what an error of this module is that a person can meet, in this
// package and those above it: a Code that never changes its meaning (docs/errors.md),
// whose fault it is, what happened and what to do. Find it with errors.As;
// branch on the declared ones with errors.Is.
type Error = fault.Error

// Faults of a running node: P2003, and P2040 to P2059.
var (
	// ErrDirBusy means another process has the data directory open.
	ErrDirBusy = fault.New("P2003", fault.Environment, "another Parley runs on this directory",
		"stop it or choose another directory")
	// ErrListen means an address to listen on is malformed, taken or not this
	// machine's.
	ErrListen = fault.New("P2040", fault.Environment, "cannot listen", "choose another address to listen on, or none for the default")
	// ErrHost means the libp2p host cannot be built, which options handed in by
	// an embedding program may cause.
	ErrHost = fault.New("P2041", fault.Bug, "the network host cannot be built", "check Config.Libp2p, or report it")
	// ErrClosed means the node was closed.
	ErrClosed = fault.New("P2042", fault.User, "the node is closed", "start it again")
)
