package main

import (
	"bufio"
	"context"
	"io"
	"testing"

	"github.com/parley-chat/parley/examples/internal/guest"
)

// The example says hello and prints what it hears.
func TestItTalks(t *testing.T) {
	g := guest.In(t, "lobby")
	ctx, cancel := context.WithCancel(t.Context())
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	cfg := g.Config(t)
	go func() { ended <- run(ctx, cfg, out); out.Close() }()

	g.Wait("hello")
	g.Say("hello yourself")
	line, err := bufio.NewReader(printed).ReadString('\n')
	if line != "guest: hello yourself\n" || err != nil {
		t.Errorf("printed %q, %v", line, err)
	}
	cancel()
	printed.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
