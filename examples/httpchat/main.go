// Httpchat is a chat inside a net/http program: handlers under /chat/ that an
// existing mux takes, beside its own pages.
//
//	go run ./examples/httpchat -dir ~/httpchat -listen 127.0.0.1:8080
//
// It prints its URL when it is in the room, and listens on this machine alone.
// Who can reach it speaks as this node: before it is opened to others, with
// -host and another -listen, put the sign-in of your program round it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// config is what the program is told.
type config struct {
	node             node.Config
	room, nick, host string
}

func main() {
	dir := flag.String("dir", "httpchat-data", "data directory")
	name := flag.String("room", "lobby", "room to talk in")
	nick := flag.String("nick", "httpchat", "nick to begin with")
	listen := flag.String("listen", "127.0.0.1:8080", "address of the web server")
	host := flag.String("host", "", "name by which browsers reach it; needed when it listens on all addresses")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := func() error {
		l, err := net.Listen("tcp", *listen)
		if err != nil {
			return err
		}
		return run(ctx, config{node.Config{Dir: *dir}, *name, *nick, *host}, l, os.Stdout)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "httpchat:", err)
		os.Exit(1)
	}
}

// run serves on l, which it closes, until ctx ends. Once it does it prints where.
func run(ctx context.Context, cfg config, l net.Listener, out io.Writer) error {
	defer l.Close()
	site, err := siteOf(l.Addr(), cfg.host)
	if err != nil {
		return err
	}
	n, err := node.Start(ctx, cfg.node)
	if err != nil {
		return err
	}
	defer n.Close()
	m, err := chat.Open(ctx, n, chat.Config{DefaultNick: cfg.nick})
	if err != nil {
		return err
	}
	defer m.Close()
	room, err := m.Join(ctx, cfg.room)
	if err != nil {
		return err
	}

	mux := http.NewServeMux() // of the program that was there before
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "The shop is open. Talk to us under /chat/.\n")
	})
	mux.Handle("/chat/", http.StripPrefix("/chat", newHandler(m, room)))

	server := &http.Server{
		Handler:           site.only(mux),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // live streams end with it
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }() // ends with Shutdown or Close below
	fmt.Fprintln(out, site.base+"chat/")
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(last), server.Close())
}
