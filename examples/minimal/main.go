// Minimal is the smallest program that talks: it says hello in the lobby of the
// LAN and prints what is said there, until it is interrupted.
//
//	go run ./examples/minimal
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, node.Config{Dir: "minimal-data"}, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "minimal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg node.Config, out io.Writer) error {
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	m, err := chat.Open(ctx, n, chat.Config{DefaultNick: os.Getenv("USER")})
	if err != nil {
		return err
	}
	defer m.Close()
	lobby, err := m.Join(ctx, "lobby")
	if err != nil {
		return err
	}
	if _, err := lobby.Send(ctx, chat.Text("hello")); err != nil {
		return err
	}
	for u := range m.Updates(ctx, m.LastCursor()) {
		if added, ok := u.(chat.MessageAdded); ok {
			fmt.Fprintf(out, "%s: %s\n", added.Message.Nick, added.Message.Text)
		}
	}
	return m.Err()
}
