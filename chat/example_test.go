package chat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// alone starts a node that only this machine can reach, in a new directory,
// which cleanUp deletes. A program for a LAN gives a directory of its own and
// nothing else.
func alone(ctx context.Context, peers ...peer.AddrInfo) (n *node.Node, cleanUp func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	n, err = node.Start(ctx, node.Config{
		Dir: dir, NoMDNS: true, Peers: peers,
		Listen: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")},
	})
	if err != nil {
		log.Fatal(err)
	}
	return n, func() { _ = n.Close(); _ = os.RemoveAll(dir) }
}

func Example() {
	ctx := context.Background()
	n, cleanUp := alone(ctx) // on a LAN: node.Start(ctx, node.Config{Dir: dir})
	defer cleanUp()
	m, err := chat.Open(ctx, n, chat.Config{Nick: "ada"})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	room, err := m.Join(ctx, "lobby")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := room.Send(ctx, chat.Text("hello")); err != nil {
		log.Fatal(err)
	}
	for msg, err := range room.History(ctx, chat.Query{Limit: 50}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s in %s: %s\n", msg.Nick, msg.Room, msg.Text)
	}
	_, err = room.Send(ctx, chat.Text(""))
	fmt.Println(errors.Is(err, chat.ErrContent), err)
	// Output:
	// ada in lobby: hello
	// true the message has no content: give it text or data (P4008)
}

// An application's own content has a type, data that the application reads, and
// a text that everybody else shows.
func ExampleCustom() {
	ctx := context.Background()
	n, cleanUp := alone(ctx)
	defer cleanUp()
	m, err := chat.Open(ctx, n, chat.Config{Nick: "oven"})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	room, err := m.Join(ctx, "sensors")
	if err != nil {
		log.Fatal(err)
	}
	reading := chat.Custom("com.example.reading", []byte(`{"celsius":21.5}`), "21.5 °C")
	if _, err := room.Send(ctx, reading.Once("reading 1")); err != nil {
		log.Fatal(err)
	}
	for u := range m.Updates(ctx, 0) { // from the beginning; a program goes on from its last cursor
		added, ok := u.(chat.MessageAdded)
		if !ok {
			continue
		}
		switch msg := added.Message; msg.Type {
		case "com.example.reading":
			fmt.Printf("known: %s\n", msg.Data)
		default:
			fmt.Println("somebody says:", msg.Text)
		}
		fmt.Println("others show:", added.Message.Text)
		break
	}
	// Output:
	// known: {"celsius":21.5}
	// others show: 21.5 °C
}

// A signal is heard by who listens now, and by nobody later.
func ExampleRoom_Signal() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n1, cleanUp1 := alone(ctx)
	defer cleanUp1()
	n2, cleanUp2 := alone(ctx, peer.AddrInfo{ID: n1.ID(), Addrs: n1.Addrs()})
	defer cleanUp2()
	rooms := make(map[string]*chat.Room)
	for nick, n := range map[string]*node.Node{"ada": n1, "bo": n2} {
		m, err := chat.Open(ctx, n, chat.Config{Nick: nick})
		if err != nil {
			log.Fatal(err)
		}
		defer m.Close()
		if rooms[nick], err = m.Join(ctx, "lobby"); err != nil {
			log.Fatal(err)
		}
	}
	typing := make(chan struct{})
	go func() { // says so again, as programs do while it is true
		for rooms["ada"].Signal(ctx, "com.example.typing", nil) != nil || wait(ctx, typing) {
		}
	}()
	for s, err := range rooms["bo"].Signals(ctx, "com.example.typing") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Nick, "is typing in", s.Room)
		break
	}
	close(typing)
	// Output: ada is typing in lobby
}

// wait waits a moment; it returns false at the end.
func wait(ctx context.Context, end <-chan struct{}) bool {
	select {
	case <-time.After(100 * time.Millisecond):
		return true
	case <-end:
	case <-ctx.Done():
	}
	return false
}
