package chat_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// Who says a nick means another, although he bears it too; and who has to
// choose among several is shown endings that name them.
func TestANickMeansAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		ctx := t.Context()
		for i := range 2 {
			p.join(i, "lobby")
			if err := p.ms[i].SetNick(ctx, "root"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if got, err := p.ms[0].FindPeer(ctx, "root"); err != nil || got != p.ms[1].ID() {
			t.Errorf("the other of two: %v, %v", got, err)
		}
		if got, err := p.ms[2].FindPeer(ctx, "nick2"); err != nil || got != p.ms[2].ID() {
			t.Errorf("oneself, if nobody else: %v, %v", got, err)
		}
		_, err := p.ms[2].FindPeer(ctx, "root")
		if !errors.Is(err, chat.ErrPeers) || len(err.Error()) > 120 {
			t.Fatalf("two others: %v", err)
		}
		for i := range 2 {
			id := p.ms[i].ID().String()
			ending := id[len(id)-8:]
			if got, err2 := p.ms[2].FindPeer(ctx, ending); !strings.Contains(err.Error(), ending) || err2 != nil || got != p.ms[i].ID() {
				t.Errorf("%v does not show %s, which names %v, %v", err, ending, got, err2)
			}
		}
	})
}
