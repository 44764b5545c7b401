package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

func loopback(t *testing.T) node.Config {
	return node.Config{
		Dir: t.TempDir(), NoMDNS: true,
		Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")},
	}
}

// A node of the test's own waits in the room; the example joins it, says what
// it reads and prints what it hears.
func TestItTalks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := node.Start(ctx, loopback(t))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	m, err := chat.Open(ctx, n, chat.Config{Nick: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	room, err := m.Join(ctx, "lobby")
	if err != nil {
		t.Fatal(err)
	}

	cfg := loopback(t)
	cfg.Peers = []peer.AddrInfo{{ID: n.ID(), Addrs: n.Addrs()}}
	in, typing := io.Pipe()
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, "lobby", in, out); out.Close() }()
	go func() { _, _ = io.WriteString(typing, "hello\n") }()

	for u := range m.Updates(ctx, 0) {
		if added, ok := u.(chat.MessageAdded); ok && added.Message.Text == "hello" {
			break
		}
	}
	if _, err := room.Send(ctx, chat.Text("hello yourself")); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(printed)
	for lines.Scan() && !strings.HasSuffix(lines.Text(), "hello yourself") {
	}
	if got := lines.Text(); got != "ada: hello yourself" {
		t.Errorf("printed %q, %v", got, lines.Err())
	}
	typing.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
