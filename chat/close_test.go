package chat_test

import (
	"errors"
	"fmt"
	"sync"
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

// Whoever joins while it is closed is told so, or has joined.
func TestJoiningWhileItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		p.join(0, "lobby")
		midway := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := range 100 {
					if i == 0 && j == 3 {
						close(midway)
					}
					_, err := p.ms[0].Join(t.Context(), fmt.Sprintf("room %d %d", i, j))
					if errors.Is(err, chat.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("join: %v", err)
						return
					}
				}
			})
		}
		<-midway
		if err := p.ms[0].Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
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
