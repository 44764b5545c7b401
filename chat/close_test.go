package chat_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/node/nodetest"
)

func TestCloseMayComeTwiceAndAfterTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		p.join(1, "lobby")
		if err := p.Nodes[0].Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := p.ms[0].Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAStoreIsOpenedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		if _, err := chat.Open(t.Context(), p.Nodes[0], chat.Config{}); !errors.Is(err, eventlog.ErrLocked) {
			t.Errorf("a second messenger: %v", err)
		}
		p.join(0, "lobby") // the first one is unharmed
	})
}

func TestAWrongNickFailsAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		if err := p.ms[0].Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := chat.Open(t.Context(), p.Nodes[0], chat.Config{Nick: "\x00"}); !errors.Is(err, chat.ErrNick) {
			t.Errorf("nick: %v", err)
		}
		m, err := chat.Open(t.Context(), p.Nodes[0], chat.Config{DefaultNick: "\x00"})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Nick(m.ID()); got != "nick0" {
			t.Errorf("nick %q", got)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}
