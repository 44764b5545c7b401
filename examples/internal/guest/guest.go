// Package guest is the other side of the examples' tests: a real node of this
// process, on loopback alone, with a messenger in a room.
//
//	g := guest.In(t, "lobby")
//	go run(ctx, g.Config(t), …)        // the example, which meets the guest
//	g.Say("hello")
//	msg := g.Wait("hello yourself")
//
// It is closed when the test ends. Its methods fail the test and belong to the
// test's goroutine; all that waits ends after a minute.
package guest

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// patience is how long anything may take, on a machine that is busy.
const patience = time.Minute

// Guest is a node with a messenger, called guest, in one room.
type Guest struct {
	Messenger *chat.Messenger
	Room      *chat.Room

	t    testing.TB
	node *node.Node
}

// In starts a guest in a room.
func In(t testing.TB, room string) *Guest {
	t.Helper()
	g := &Guest{t: t}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if g.node, err = node.Start(ctx, loopback(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.node.Close() })
	if g.Messenger, err = chat.Open(ctx, g.node, chat.Config{Nick: "guest"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Messenger.Close() })
	if g.Room, err = g.Messenger.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	return g
}

// Config is for a node with a new directory that meets the guest.
func (g *Guest) Config(t testing.TB) node.Config {
	cfg := loopback(t)
	cfg.Peers = []peer.AddrInfo{{ID: g.node.ID(), Addrs: g.node.Addrs()}}
	return cfg
}

// loopback is for a node that nobody else on the machine's networks hears of.
func loopback(t testing.TB) node.Config {
	return node.Config{
		Dir: t.TempDir(), NoMDNS: true,
		Listen: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")},
	}
}

// Say sends a text to the room.
func (g *Guest) Say(text string) chat.ID {
	g.t.Helper()
	id, err := g.Room.Send(g.t.Context(), chat.Text(text))
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

// Wait returns the first message of another with that text, since the guest
// began.
func (g *Guest) Wait(text string) chat.Message {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	for u := range g.Messenger.Updates(ctx, 0) {
		if added, ok := u.(chat.MessageAdded); ok && !added.Message.Self && added.Message.Text == text {
			return added.Message
		}
	}
	g.t.Fatalf("nobody said %q", text)
	return chat.Message{}
}

// Meet waits until another is in the room.
func (g *Guest) Meet() chat.Member {
	g.t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for giveUp := time.After(patience); ; {
		members, err := g.Room.Members(g.t.Context())
		if err != nil {
			g.t.Fatal(err)
		}
		for _, m := range members {
			if !m.Self && m.Online {
				return m
			}
		}
		select {
		case <-look.C:
		case <-giveUp:
			g.t.Fatal("nobody came")
		}
	}
}
