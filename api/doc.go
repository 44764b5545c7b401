// Package api is what the two ends of a node's local API share: where the
// Unix socket of a data directory lies, and how a fault travels.
//
// The interface itself is parley/v1/parley.proto, served as Connect, gRPC,
// gRPC-Web and JSON by package server and called by package client. A coded
// *fault.Error that a method returns comes out of the client as an equal
// *fault.Error, so callers on both sides branch with errors.Is.
//
// The socket is readable and writable by its owner only and needs no further
// authentication: who can open it can read the directory.
package api

import "github.com/parley-chat/parley/internal/fault"

// The faults of the API itself. What chat and node report passes unchanged.
var (
	// ErrNoNode means that nothing answers on the directory's socket.
	ErrNoNode = fault.New("P5001", fault.User, "no node is running on that directory", "start one with: parley run")
	// ErrListen means that the socket cannot be made.
	ErrListen = fault.New("P5002", fault.Environment, "the control socket cannot be opened", "check the directory's permissions and free space")
	// ErrAnswers means that another process answers on the socket.
	ErrAnswers = fault.New("P5003", fault.Environment, "another node answers on the control socket", "stop it or choose another directory")
	// ErrGone means that the node ended, or was cut off, during a call.
	ErrGone = fault.New("P5004", fault.Environment, "the node went away", "start it again and repeat the command")
	// ErrOther means that node and caller are of different releases.
	ErrOther = fault.New("P5005", fault.Environment, "the running node does not know this request", "restart the node with the same release as this command")
	// ErrArgument means a request that can never succeed as it is.
	ErrArgument = fault.New("P5006", fault.User, "the request is malformed", "correct it and repeat")
	// ErrInternal means an error without a code: a bug of ours.
	ErrInternal = fault.New("P5007", fault.Bug, "the node failed in an unforeseen way", "look into the node's log and report it")
	// ErrNoRegistrar means that the node on the directory is no registrar.
	ErrNoRegistrar = fault.New("P5008", fault.User, "the node on that directory is not a registrar", "stop it and start parley registrar on it")
)
