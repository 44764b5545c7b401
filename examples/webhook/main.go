// Webhook is a bridge between a room and a web service: what is said in the
// room is posted to a URL, and what is posted here is said in the room.
//
//	openssl rand -hex 32 > secret && chmod 600 secret
//	go run ./examples/webhook -dir ~/bridge -room lobby -secret secret \
//		-to https://example.com/hook -listen 127.0.0.1:8081
//
// Both ways a request is one message as JSON, signed with the shared secret. Its
// header X-Parley-Time says when it was made, in Unix seconds, X-Parley-Signature
// is "sha256=" and the hex of HMAC-SHA256 over
//
//	DIRECTION "\n" TIME "\n" BODY
//
// where DIRECTION is "from-room" for what is posted to the URL and "to-room" for
// what is posted here: one is never taken for the other. What is more than five
// minutes off is refused. The field id names the message: a request that is
// repeated within a week has the same one, and counts once; a captured one is
// too old by then.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

const (
	signatureHeader = "X-Parley-Signature"
	timeHeader      = "X-Parley-Time"
)

// Directions, which are signed.
const (
	fromRoom = "from-room"
	toRoom   = "to-room"
)

// maxOff is how far a request's time may be from this machine's.
const maxOff = 5 * time.Minute

// post is a message on its way, in either direction.
type post struct {
	ID   string `json:"id"`             // of the message; whoever posts here makes one up, at most 64 bytes
	Room string `json:"room,omitempty"` // these are told, and ignored when posted here
	Nick string `json:"nick,omitempty"`
	Text string `json:"text"`
}

// config is what the bridge is told.
type config struct {
	node   node.Config
	room   string
	to     string // the URL; empty: nothing is posted
	secret []byte
	retry  time.Duration // before a failed request is tried again; it doubles, up to 5 minutes
	log    *slog.Logger
}

func main() {
	dir := flag.String("dir", "webhook-data", "data directory")
	room := flag.String("room", "lobby", "room to bridge")
	to := flag.String("to", "", "URL that gets what is said")
	listen := flag.String("listen", "127.0.0.1:8081", "address that takes what is to be said")
	file := flag.String("secret", "", "file with the shared secret")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := func() error {
		secret, err := readSecret(*file)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", *listen)
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		return run(ctx, config{node.Config{Dir: *dir}, *room, *to, secret, time.Second, log}, l)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		os.Exit(1)
	}
}

// run bridges until ctx ends. It closes l.
func run(ctx context.Context, cfg config, l net.Listener) error {
	defer l.Close()
	n, err := node.Start(ctx, cfg.node)
	if err != nil {
		return err
	}
	defer n.Close()
	m, err := chat.Open(ctx, n, chat.Config{Nick: "webhook"})
	if err != nil {
		return err
	}
	defer m.Close()
	out := &outward{cfg: cfg, m: m, file: cursorFile(n.Dir())}
	if err := out.begin(); err != nil {
		return err
	}
	room, err := m.Join(ctx, cfg.room)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           inward(room, cfg.secret),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- out.run(ctx, room) }() // ends with ctx
	go func() { ended <- server.Serve(l) }()    // ends with Shutdown or Close
	err = <-ended
	if ctx.Err() != nil {
		err = nil // interrupted
	}
	cancel()
	last, cancelLast := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancelLast()
	err = errors.Join(err, server.Shutdown(last), server.Close())
	<-ended
	return err
}

// readSecret reads the shared secret, which never stands on a command line:
// other users of the machine could see it there.
func readSecret(file string) ([]byte, error) {
	if file == "" {
		return nil, errors.New("-secret FILE is missing; make the file with: openssl rand -hex 32 > secret && chmod 600 secret")
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("-secret: %w", err)
	}
	if othersRead(info) {
		return nil, fmt.Errorf("-secret: others can read %s: chmod 600 it; if they may have, make a new one", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("-secret: %w", err)
	}
	secret := strings.TrimSpace(string(b))
	if len(secret) < 32 {
		return nil, errors.New("-secret: the file has fewer than 32 characters")
	}
	return []byte(secret), nil
}

// sign sets the headers of a request with that body, made at a time.
func sign(h http.Header, secret []byte, direction string, at time.Time, body []byte) {
	when := strconv.FormatInt(at.Unix(), 10)
	h.Set(timeHeader, when)
	h.Set(signatureHeader, signature(secret, direction, when, body))
}

func signature(secret []byte, direction, when string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s\n%s\n", direction, when)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// verify says what is wrong with a request's headers, if anything.
func verify(h http.Header, secret []byte, direction string, now time.Time, body []byte) error {
	when := h.Get(timeHeader)
	if !hmac.Equal([]byte(h.Get(signatureHeader)), []byte(signature(secret, direction, when, body))) {
		return errors.New("not signed with the shared secret")
	}
	at, err := strconv.ParseInt(when, 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > maxOff {
		return errors.New("made too long ago, or the clocks differ")
	}
	return nil
}
