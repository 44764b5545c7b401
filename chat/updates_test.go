package chat_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

func TestUpdatesReadOnFromTheCursorAndThenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		p.join(1, "lobby")
		time.Sleep(3 * time.Second)
		p.say(0, "lobby", "one")
		p.waitTexts(5*time.Second, 1, "lobby", "one") // two batches sent at once may arrive in either order
		p.say(0, "lobby", "two")
		p.waitTexts(5*time.Second, 1, "lobby", "one", "two")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var got []string
		var cursor uint64
		for u := range p.ms[1].Updates(ctx, 0) {
			added, ok := u.(chat.MessageAdded)
			if !ok {
				continue
			}
			got = append(got, added.Message.Text)
			cursor = added.Message.Cursor
			switch len(got) {
			case 2:
				p.say(0, "lobby", "three")
			case 3:
				p.say(1, "lobby", "four")
			}
			if len(got) == 4 {
				break
			}
		}
		if want := []string{"one", "two", "three", "four"}; !slices.Equal(got, want) {
			t.Fatalf("%q", got)
		}
		if cursor != p.ms[1].LastCursor() {
			t.Errorf("cursor %d, newest %d", cursor, p.ms[1].LastCursor())
		}
		p.say(1, "lobby", "five")
		for u := range p.ms[1].Updates(ctx, cursor) {
			if added, ok := u.(chat.MessageAdded); ok {
				if added.Message.Text != "five" {
					t.Errorf("after the cursor: %q", added.Message.Text)
				}
				break
			}
		}
	})
}

func TestASlowReaderLosesNoMessageAndIsToldHeLagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		p := gather(t, 2, nodetest.Config{})
		r := p.join(0, "lobby")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p.say(0, "lobby", "first")
		var got []string
		lagged := false
		for u := range p.ms[0].Updates(ctx, 0) {
			switch u := u.(type) {
			case chat.MessageAdded:
				got = append(got, u.Message.Text)
				if len(got) > 1 {
					break
				}
				for _, err := range r.SendAll(ctx, count(n)) { // while the reader does not read
					if err != nil {
						t.Fatal(err)
					}
				}
				for i := range 600 { // more changes than wait for one reader
					name := fmt.Sprint("den", i%2)
					p.join(0, name)
					if err := p.ms[0].Leave(ctx, name); err != nil {
						t.Fatal(err)
					}
				}
			case chat.Lagged:
				lagged = true
			}
			if len(got) == n+1 && lagged {
				break
			}
		}
		if len(got) != n+1 || !lagged {
			t.Fatalf("%d messages, lagged %v", len(got), lagged)
		}
		for i, text := range got[1:] {
			if text != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, text)
			}
		}
	})
}

func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		seen := map[string]bool{}
		go func() { // ends with the test's nodes, which it uses
			r, err := p.ms[1].Join(ctx, "lobby")
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(3 * time.Second)
			if _, err := r.Send(ctx, chat.Text("hi")); err != nil {
				t.Error(err)
			}
			time.Sleep(3 * time.Second)
			p.say(0, "lobby", "hello")
			time.Sleep(5 * time.Second)
			if err := p.ms[1].Leave(ctx, "lobby"); err != nil {
				t.Error(err)
			}
		}()
		want := []string{"added", "joined", "left", "state", "rooms"}
		for u := range p.ms[0].Updates(ctx, p.ms[0].LastCursor()) {
			switch u := u.(type) {
			case chat.MessageAdded:
				seen["added"] = true
			case chat.MemberChanged:
				seen[map[bool]string{true: "left", false: "joined"}[u.Left]] = true
			case chat.StateChanged:
				seen["state"] = true
				if u.State != "held 1/1" {
					t.Errorf("state %+v", u)
				}
			case chat.RoomsChanged:
				seen["rooms"] = true
			}
			done := true
			for _, w := range want {
				done = done && seen[w]
			}
			if done {
				return
			}
		}
		t.Errorf("seen only %v", seen)
	})
}

func TestUpdatesEndWithTheMessenger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range p.ms[0].Updates(t.Context(), 0) {
			}
		}()
		synctest.Wait()
		p.Stop(0)
		<-ended
	})
}
