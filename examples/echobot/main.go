// Echobot answers: what is said in its room, and to it alone, it says again.
//
//	go run ./examples/echobot -dir ~/echobot -room lobby
//
// It shows how a program that must miss nothing works: it goes on from the
// cursor of the last message it dealt with, and gives each answer a key, so
// that after a kill at any moment every message is answered once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
)

// echo is the type of the answers. Bots answer people's texts alone: two of
// them in one room do not talk for ever.
const echo = "com.example.echo"

func main() {
	dir := flag.String("dir", "echobot-data", "data directory")
	room := flag.String("room", "lobby", "room to answer in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, node.Config{Dir: *dir}, *room); err != nil {
		fmt.Fprintln(os.Stderr, "echobot:", err)
		os.Exit(1)
	}
}

// run answers until ctx ends.
func run(ctx context.Context, cfg node.Config, room string) error {
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	m, err := chat.Open(ctx, n, chat.Config{Nick: "echobot"})
	if err != nil {
		return err
	}
	defer m.Close()
	file := filepath.Join(n.Dir(), "echobot.cursor")
	cursor, err := load(file, m.LastCursor())
	if err != nil {
		return err
	}
	if _, err := m.Join(ctx, room); err != nil {
		return err
	}
	for u := range m.Updates(ctx, cursor) {
		added, ok := u.(chat.MessageAdded)
		if !ok {
			continue
		}
		if err := answer(ctx, m, added.Message); err != nil {
			return interrupted(ctx, err)
		}
		if err := save(file, added.Message.Cursor); err != nil {
			return err
		}
	}
	return interrupted(ctx, m.Err())
}

// answer says again what a person said, where he said it.
func answer(ctx context.Context, m *chat.Messenger, msg chat.Message) error {
	if msg.Self || msg.Type != chat.TextType {
		return nil
	}
	content := chat.Custom(echo, nil, msg.Text).Once(msg.ID.String())
	if msg.Room == "" {
		_, err := m.Direct(msg.Direct).Send(ctx, content)
		return err
	}
	room, err := m.Room(msg.Room)
	if err == nil {
		_, err = room.Send(ctx, content)
	}
	return err
}

// interrupted is err, or nil when ctx has ended: that is how the bot is stopped.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// load reads the cursor; a new bot begins with what is said from now on.
func load(file string, now uint64) (uint64, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return now, save(file, now)
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}

// save replaces the cursor whole: half of one would be another one.
func save(file string, cursor uint64) error {
	if err := os.WriteFile(file+".new", strconv.AppendUint(nil, cursor, 10), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
