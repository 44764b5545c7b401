// Sensorroom is a room of devices: each posts readings as messages of a type of
// its own, and a dashboard prints them with how long they took.
//
//	go run ./examples/sensorroom -dir ~/oven -nick oven device
//	go run ./examples/sensorroom -dir ~/board dashboard
//
// A program that does not know the type, parley for instance, shows each
// reading's fallback text. Readings are events: a dashboard that was away gets
// what it missed. How long one took is the difference of two clocks, the
// device's before it sends and the dashboard's when it prints, and as right as
// they are.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// readingType is the type of the messages: a reading as JSON.
const readingType = "com.example.reading"

// reading is what a device measured.
type reading struct {
	Celsius float64   `json:"celsius"`
	At      time.Time `json:"at"`
}

func main() {
	dir := flag.String("dir", "sensorroom-data", "data directory")
	room := flag.String("room", "sensors", "room of the devices")
	nick := flag.String("nick", "", "name of the device")
	every := flag.Duration("every", time.Second, "time between two readings of the device")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg := node.Config{Dir: *dir}
	var err error
	switch flag.Arg(0) {
	case "device":
		err = device(ctx, cfg, *nick, *room, *every)
	case "dashboard":
		err = dashboard(ctx, cfg, *room, os.Stdout)
	default:
		err = errors.New("say device or dashboard, after the flags")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sensorroom:", err)
		os.Exit(1)
	}
}

// open starts a node in the room. close ends it.
func open(ctx context.Context, cfg node.Config, nick, name string) (m *chat.Messenger, r *chat.Room, closeAll func(), err error) {
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	if m, err = chat.Open(ctx, n, chat.Config{Nick: nick, DefaultNick: filepath.Base(cfg.Dir)}); err != nil {
		return nil, nil, nil, errors.Join(err, n.Close())
	}
	closeAll = func() { _ = m.Close(); _ = n.Close() }
	if r, err = m.Join(ctx, name); err != nil {
		closeAll()
	}
	return m, r, closeAll, err
}

// device posts a reading now and again until ctx ends.
func device(ctx context.Context, cfg node.Config, nick, name string, every time.Duration) error {
	_, room, closeAll, err := open(ctx, cfg, nick, name)
	if err != nil {
		return err
	}
	defer closeAll()
	return measure(ctx, room, every)
}

func measure(ctx context.Context, room *chat.Room, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		r := reading{Celsius: 20 + rand.Float64(), At: time.Now()} // a real one asks its sensor
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fallback := fmt.Sprintf("%.1f °C", r.Celsius)
		if _, err := room.Send(ctx, chat.Custom(readingType, data, fallback)); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// dashboard prints readings until ctx ends.
func dashboard(ctx context.Context, cfg node.Config, name string, out io.Writer) error {
	m, _, closeAll, err := open(ctx, cfg, "", name)
	if err != nil {
		return err
	}
	defer closeAll()
	return show(ctx, m, out)
}

func show(ctx context.Context, m *chat.Messenger, out io.Writer) error {
	for u := range m.Updates(ctx, m.LastCursor()) {
		added, ok := u.(chat.MessageAdded)
		if !ok || added.Message.Type != readingType {
			continue
		}
		var r reading
		if json.Unmarshal(added.Message.Data, &r) != nil {
			continue // whoever is in the room may send anything
		}
		fmt.Fprintf(out, "%s\t%.1f °C\t%.1f ms\n",
			added.Message.Nick, r.Celsius, float64(time.Since(r.At).Microseconds())/1000)
	}
	return m.Err()
}
