// Parley is a messenger without servers: every machine runs a node, nodes find
// each other on the LAN, and rooms are joined by name.
//
//	parley                  talk
//	parley run              run a node for other programs
//	parley send lobby hi    use the node that runs
//
// This package is thin on purpose: each command reads its flags, calls the API
// of the running node (or, for run and the chat, starts one) and prints. What
// a command prints for programs and its exit status are a contract, held by
// testdata/script.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-chat/parley/cmd/parley/internal/text"
)

func main() { os.Exit(realMain()) }

func realMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{
		text:   text.New(os.Getenv),
		in:     os.Stdin,
		out:    os.Stdout,
		err:    os.Stderr,
		getenv: os.Getenv,
		name:   ownName(),
	}
	return a.report(newRoot(a).ExecuteContext(ctx))
}
