package chat_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

func TestTwoNodesTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		p.join(1, "Lobby")
		time.Sleep(3 * time.Second) // the mesh forms
		id := p.say(0, "lobby", "hello")
		p.waitTexts(time.Second, 1, "lobby", "hello")

		got := p.history(1, "lobby", chat.Query{})[0]
		if got.ID != id || got.Nick != "nick0" || got.Author != p.Nodes[0].ID() || got.Self {
			t.Errorf("got %+v", got)
		}
		p.say(1, "lobby", "hello yourself")
		p.waitTexts(time.Second, 0, "lobby", "hello", "hello yourself")
		p.waitSame(time.Second, "lobby", 2, 0, 1)
		if got := p.history(1, "lobby", chat.Query{})[1]; !slices.Contains(got.Parents, id) {
			t.Errorf("the answer was written after %v, not %v", got.Parents, id)
		}
	})
}

func TestWhatWasSaidBeforeReachesALateJoiner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		var want []string
		for i := range 300 {
			want = append(want, string(rune('a'+i%26)))
			p.say(0, "lobby", want[i])
		}
		p.join(1, "lobby")
		p.waitTexts(time.Second, 1, "lobby", want...) // at once: it asks who is there
		p.waitSame(10*time.Second, "lobby", len(want), 0, 1)
	})
}
