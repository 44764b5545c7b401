package main

import (
	"context"
	"testing"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/examples/internal/guest"
	"github.com/parley-chat/parley/node"
)

func start(t *testing.T, cfg node.Config) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, "lobby") }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestItAnswersOnceAlsoWhatWasSaidWhileItWasDown(t *testing.T) {
	g := guest.In(t, "lobby")
	cfg := g.Config(t)
	stop := start(t, cfg)
	bot := g.Meet().Peer
	g.Say("one")
	if msg := g.Wait("one"); msg.Author != bot || msg.Type != echo || msg.Nick != "echobot" {
		t.Errorf("answered by %+v", msg)
	}
	if _, err := g.Messenger.Direct(bot).Send(t.Context(), chat.Text("between us")); err != nil {
		t.Fatal(err)
	}
	if msg := g.Wait("between us"); msg.Direct != bot {
		t.Errorf("answered in %q", msg.Room)
	}
	// Another bot's answer is no reason to answer.
	if _, err := g.Room.Send(t.Context(), chat.Custom(echo, nil, "not for bots")); err != nil {
		t.Fatal(err)
	}
	stop()
	g.Say("two")
	stop = start(t, cfg)
	defer stop()
	g.Wait("two")
	g.Say("last")
	g.Wait("last")
	answers := make(map[string]int)
	for msg, err := range g.Room.History(t.Context(), chat.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if msg.Author == bot {
			answers[msg.Text]++
		}
	}
	if len(answers) != 3 || answers["one"] != 1 || answers["two"] != 1 || answers["last"] != 1 {
		t.Errorf("answers: %v", answers)
	}
}
