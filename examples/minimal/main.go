// Minimal is the smallest program that talks: it joins a room of the LAN,
// prints what is said there and says what it reads, a line a message.
//
//	go run ./examples/minimal -dir ~/minimal -room lobby
//
// It ends with its input, or with an interrupt.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

func main() {
	dir := flag.String("dir", "minimal-data", "data directory")
	room := flag.String("room", "lobby", "room to talk in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, node.Config{Dir: *dir}, *room, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "minimal:", err)
		os.Exit(1)
	}
}

// run talks until in or ctx ends. Everything it starts has ended when it
// returns, but for a read of in that is under way.
func run(ctx context.Context, cfg node.Config, name string, in io.Reader, out io.Writer) error {
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	m, err := chat.Open(ctx, n, chat.Config{})
	if err != nil {
		return err
	}
	defer m.Close()
	room, err := m.Join(ctx, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := make(chan error, 1)
	go func() { // ends with in, or at its next line
		defer cancel()
		said <- say(ctx, room, in)
	}()
	for u := range m.Updates(ctx, m.LastCursor()) {
		if added, ok := u.(chat.MessageAdded); ok && added.Message.Room == room.Name() {
			fmt.Fprintf(out, "%s: %s\n", added.Message.Nick, added.Message.Text)
		}
	}
	select {
	case err := <-said:
		return err
	default:
		return nil // interrupted
	}
}

// say sends each line of in as a message.
func say(ctx context.Context, room *chat.Room, in io.Reader) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if _, err := room.Send(ctx, chat.Text(lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}
