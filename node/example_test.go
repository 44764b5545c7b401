package node_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/parley-chat/parley/node"
)

// Two nodes that only this machine can reach meet. On a LAN a Dir is all a
// Config needs, and nodes find each other.
func Example() {
	ctx := context.Background()
	config := func() node.Config {
		dir, err := os.MkdirTemp("", "example")
		if err != nil {
			log.Fatal(err)
		}
		local := multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")
		return node.Config{Dir: dir, NoMDNS: true, Listen: []multiaddr.Multiaddr{local}}
	}
	first := config()
	defer os.RemoveAll(first.Dir)
	a, err := node.Start(ctx, first)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()

	second := config()
	defer os.RemoveAll(second.Dir)
	second.Peers = []peer.AddrInfo{{ID: a.ID(), Addrs: a.Addrs()}}
	b, err := node.Start(ctx, second)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	for c := range a.Watch(ctx) {
		fmt.Println(c.ID == b.ID(), "admitted:", c.Admitted, "to", a.Network().Name)
		break
	}

	_, err = node.Start(ctx, node.Config{Dir: first.Dir})
	var coded *node.Error
	fmt.Println(errors.Is(err, node.ErrDirBusy), errors.As(err, &coded) && coded.Code == "P2003")
	// Output:
	// true admitted: true to lan
	// true true
}
