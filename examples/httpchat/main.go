// Httpchat is a chat inside a net/http program: handlers under /chat/ that an
// existing mux takes, beside its own pages.
//
//	go run ./examples/httpchat -dir ~/httpchat -listen 127.0.0.1:8080
//
// It listens on this machine alone. Who can reach it speaks as this node:
// before it is opened to others, put the sign-in of your program round it.
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

func main() {
	dir := flag.String("dir", "httpchat-data", "data directory")
	name := flag.String("room", "lobby", "room to talk in")
	listen := flag.String("listen", "127.0.0.1:8080", "address of the web server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	l, err := net.Listen("tcp", *listen)
	if err == nil {
		fmt.Printf("http://%s/\n", l.Addr())
		err = run(ctx, node.Config{Dir: *dir}, *name, l)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "httpchat:", err)
		os.Exit(1)
	}
}

// run serves on l, which it closes, until ctx ends.
func run(ctx context.Context, cfg node.Config, name string, l net.Listener) error {
	defer l.Close()
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

	mux := http.NewServeMux() // of the program that was there before
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "The shop is open. Talk to us under /chat/.\n")
	})
	mux.Handle("/chat/", http.StripPrefix("/chat", newHandler(m, room)))

	server := &http.Server{
		Handler:           onlyFor(l.Addr().String(), mux),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // live streams end with it
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }() // ends with Shutdown or Close below
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(last), server.Close())
}

// onlyFor lets only requests through that name the server as its owner does: a
// page of another site that had its own name lead here (DNS rebinding) does not.
func onlyFor(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host {
			http.Error(w, "not a name of this server", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
