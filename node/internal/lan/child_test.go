package lan

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// childEnv makes the test binary a node that only announces and listens, so
// that tests can run several in network namespaces: "<seed> <tag> <listen>…".
const childEnv = "PARLEY_LAN_CHILD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		if err := runChild(strings.Fields(spec)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childLine is one line of a child's output.
type childLine struct {
	Found  string   `json:",omitempty"` // peer ID
	Addrs  []string `json:",omitempty"`
	Status *Status  `json:",omitempty"` // on each line of its input
}

func runChild(spec []string) error {
	var listen []ma.Multiaddr
	for _, text := range spec[2:] {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return err
		}
		listen = append(listen, a)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	out := make(chan childLine, 1024)
	s := New(nil)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			st := s.Status()
			out <- childLine{Status: &st}
		}
	}()
	done := make(chan error, 1)
	go func() {
		self := Self{ID: testPeer(spec[0]), Tag: spec[1], Listen: func() []ma.Multiaddr { return listen }}
		done <- s.Run(ctx, self, func(p peer.AddrInfo) {
			line := childLine{Found: p.ID.String()}
			for _, a := range p.Addrs {
				line.Addrs = append(line.Addrs, a.String())
			}
			out <- line
		})
	}()
	enc := json.NewEncoder(os.Stdout)
	for {
		select {
		case err := <-done:
			return err
		case line := <-out:
			if err := enc.Encode(line); err != nil {
				return err
			}
		}
	}
}
