package chat_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// count yields n texts.
func count(n int) iter.Seq[chat.Content] {
	return func(yield func(chat.Content) bool) {
		for i := range n {
			if !yield(chat.Text(fmt.Sprint(i))) {
				return
			}
		}
	}
}

func TestThousandsOfSendsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5000
		p := gather(t, 3, nodetest.Config{})
		for i := range 3 {
			p.join(i, "lobby")
		}
		time.Sleep(3 * time.Second)
		r, err := p.ms[0].Room("lobby")
		if err != nil {
			t.Fatal(err)
		}
		var ids []chat.ID
		for id, err := range r.SendAll(t.Context(), count(n)) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if len(ids) != n {
			t.Fatalf("%d ids", len(ids))
		}
		p.waitSame(time.Minute, "lobby", n, 0, 1, 2)
		for i, m := range p.history(1, "lobby", chat.Query{}) {
			if m.ID != ids[i] || m.Text != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, m.Text)
			}
		}
	})
}

func TestSendAllTellsEachError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		r := p.join(0, "lobby")
		contents := []chat.Content{chat.Text("a"), chat.Text(""), chat.Text(strings.Repeat("x", 70_000)), chat.Text("b")}
		var errs []error
		for _, err := range r.SendAll(t.Context(), slices.Values(contents)) {
			errs = append(errs, err)
		}
		if len(errs) != 4 || errs[0] != nil || !errors.Is(errs[1], chat.ErrContent) || !errors.Is(errs[2], chat.ErrTooLong) || errs[3] != nil {
			t.Errorf("errors %v", errs)
		}
		p.waitTexts(0, 0, "lobby", "a", "b")
	})
}

func TestSendAllEndsWhenLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		r := p.join(0, "lobby")
		endless := func(yield func(chat.Content) bool) {
			for yield(chat.Text("again")) {
			}
		}
		for range r.SendAll(t.Context(), endless) {
			break
		}
		n := 0
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, err := range r.SendAll(ctx, endless) {
			if n++; n == 100 {
				cancel()
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		n = 0
		for _, err := range r.SendAll(t.Context(), endless) {
			if n++; n == 100 {
				if err := p.ms[0].Leave(t.Context(), "lobby"); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil {
				if !errors.Is(err, chat.ErrNotJoined) {
					t.Error(err)
				}
				break
			}
		}
	})
}

func TestHistoryByIDBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		r := p.join(0, "lobby")
		var ids []chat.ID
		for id, err := range r.SendAll(t.Context(), count(10)) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if err := p.ms[0].SetNick(t.Context(), "other"); err != nil { // a profile event, not a message
			t.Fatal(err)
		}
		for _, test := range []struct {
			query chat.Query
			want  string
		}{
			{chat.Query{}, "0 1 2 3 4 5 6 7 8 9"},
			{chat.Query{Limit: 3}, "7 8 9"},
			{chat.Query{Before: &ids[7], Limit: 3}, "4 5 6"},
			{chat.Query{Before: &ids[2]}, "0 1"},
			{chat.Query{After: &ids[2], Limit: 3}, "3 4 5"},
			{chat.Query{After: &ids[8]}, "9"},
			{chat.Query{After: &ids[2], Before: &ids[5]}, "3 4"},
			{chat.Query{After: &ids[2], Before: &ids[9], Limit: 2}, "3 4"},
			{chat.Query{After: &ids[9]}, ""},
		} {
			if got := strings.Join(texts(p.history(0, "lobby", test.query)), " "); got != test.want {
				t.Errorf("%+v: %q, not %q", test.query, got, test.want)
			}
		}
		kinds := map[string]int{}
		for _, m := range p.history(0, "lobby", chat.Query{All: true}) {
			kinds[m.Kind]++
		}
		if kinds[chat.KindMessage] != 10 || kinds[chat.KindProfile] != 2 {
			t.Errorf("kinds %v", kinds)
		}
	})
}

// spec: 05-presence M12
func TestStatesAreTrueAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.join(0, "lobby")
		id := p.say(0, "lobby", "hello")
		state := func() string {
			m, err := p.ms[0].Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return m.State
		}
		time.Sleep(10 * time.Second)
		if got := state(); got != chat.StateQueued {
			t.Errorf("alone in the room: %q", got)
		}
		p.join(1, "lobby")
		p.Wait(10*time.Second, "one holds it", func() error {
			if got := state(); got != "held 1/1" {
				return errors.New(got)
			}
			return nil
		})
		p.join(2, "lobby")
		p.say(2, "lobby", "I am here")
		p.Wait(20*time.Second, "two hold it", func() error {
			if got := state(); got != "held 2/2" {
				return errors.New(got)
			}
			return nil
		})
		p.Partition([]int{0}, []int{1, 2})
		time.Sleep(30 * time.Second)
		id = p.say(0, "lobby", "anyone?")
		time.Sleep(30 * time.Second)
		if got := state(); got != chat.StateQueued {
			t.Errorf("cut off: %q", got)
		}
		p.Heal()
		p.Wait(2*time.Minute, "two hold it", func() error {
			if got := state(); got != "held 2/2" {
				return errors.New(got)
			}
			return nil
		})
		if m := p.history(1, "lobby", chat.Query{Limit: 1})[0]; m.State != "" {
			t.Errorf("state of another's message: %q", m.State)
		}
	})
}
