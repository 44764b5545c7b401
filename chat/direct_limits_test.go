package chat_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/node/nodetest"
)

// edit restarts node i with another store than it left.
func (p *party) edit(i int, f func(s *eventlog.Store) error) {
	p.t.Helper()
	key := p.Nodes[i].StoreKey()
	p.Stop(i)
	s, err := eventlog.Open(p.t.Context(), eventlog.Options{Dir: filepath.Join(p.Dir(i), "store"), Key: key})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := errors.Join(f(s), s.Close()); err != nil {
		p.t.Fatal(err)
	}
	p.Start(i)
	p.WaitAdmitted(10 * time.Minute)
}

// invite has node i remember n more chats, begun by strangers and not answered.
func (p *party) invite(i, n int) {
	p.t.Helper()
	p.edit(i, func(s *eventlog.Store) error {
		const key = "direct/chats"
		list, err := s.Meta(key)
		if err != nil {
			return err
		}
		more := make([]byte, 32*n)
		_, _ = rand.Read(more)
		return s.SetMeta(key, append(slices.Clone(list), more...))
	})
}

// When 1,000 strangers wait for an answer, a further one's messages stay with
// him: nothing of them is stored. Chats that there are go on, and as soon as he
// is written to, what he said comes.
func TestTooManyStrangersWaitOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.tell(0, 2, "we know each other")
		p.waitReach(5*time.Second, 0, 2, chat.StateDelivered)
		p.invite(0, 1000)
		p.tell(1, 0, "let me in")
		time.Sleep(10 * time.Minute)
		if got := p.told(0, 1); len(got) != 0 {
			t.Errorf("%q is stored", texts(got))
		}
		if got := p.told(1, 0)[0].State; got != chat.StateSent && got != chat.StateQueued {
			t.Errorf("it is %s", got)
		}
		if chats, err := p.ms[0].Directs(t.Context()); err != nil || len(chats) != 1001 {
			t.Errorf("%d chats, %v", len(chats), err)
		}
		p.tell(2, 0, "hello")
		p.waitTold(5*time.Second, 0, 2, "we know each other", "hello")
		p.tell(0, 1, "come in")
		p.Wait(6*time.Minute, "what he said", func() error {
			if got := texts(p.told(0, 1)); len(got) != 2 {
				return fmt.Errorf("%q", got)
			}
			return nil
		})
		p.waitReach(time.Minute, 1, 0, chat.StateDelivered)
	})
}

// Nobody can begin more chats than are remembered; he is told so.
func TestTooManyChatsAreAClearError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.tell(0, 0, "a note")
		p.invite(0, 1999)
		if _, err := p.direct(0, 1).Send(t.Context(), chat.Text("one more")); !errors.Is(err, chat.ErrDirects) {
			t.Errorf("got %v", err)
		}
		p.tell(0, 0, "another note")
	})
}

// Of one who was never answered 64 MiB are stored. What he writes beyond waits
// with him until he is answered, and he is not taken for a liar.
func TestOneWhoWasNeverAnsweredIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.tell(1, 0, "first")
		p.waitReach(5*time.Second, 1, 0, chat.StateDelivered)
		him := authorOf(t, p.Nodes[1].ID())
		p.edit(0, func(s *eventlog.Store) error {
			key := "direct/pair/" + hex.EncodeToString(him[:])
			data, err := s.Meta(key)
			if err != nil {
				return err
			}
			var rec map[string]any
			if err := json.Unmarshal(data, &rec); err != nil {
				return err
			}
			rec["bytes"] = 64<<20 - 100_000
			if data, err = json.Marshal(rec); err != nil {
				return err
			}
			return s.SetMeta(key, data)
		})
		const n = 10
		for range n {
			p.tell(1, 0, strings.Repeat("x", 40_000))
		}
		time.Sleep(10 * time.Minute)
		if got := len(p.told(0, 1)) - 1; got < 2 || got > 4 {
			t.Errorf("%d of %d are stored", got, n)
		}
		if p.told(1, 0)[n].State == chat.StateDelivered {
			t.Error("what is not stored is delivered")
		}
		if bad := p.metric(0, "parley_direct_malformed_total", ""); bad != 0 {
			t.Errorf("%d streams counted as malformed", bad)
		}
		p.tell(0, 1, "slowly, please")
		p.Wait(6*time.Minute, "all of it", func() error {
			if got := len(p.told(0, 1)); got != n+2 {
				return fmt.Errorf("%d", got)
			}
			return nil
		})
		p.waitReach(time.Minute, 1, 0, chat.StateDelivered)
	})
}
