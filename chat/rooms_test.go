package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

func TestRoomsAreADirectoryOfTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.join(0, "Lobby")
		p.join(1, "lobby")
		p.join(1, "Den")
		want := []chat.RoomInfo{{Name: "Den", Members: 1}, {Name: "Lobby", Members: 2}}
		p.Wait(10*time.Second, "node 2 hears of both rooms", func() error {
			got, err := p.ms[2].Rooms(t.Context())
			if err == nil && len(got) == 2 && got[1].Name == "lobby" {
				got[1].Name = "Lobby" // as the first to tell of it wrote it
			}
			if err != nil || !slices.Equal(got, want) {
				return fmt.Errorf("%+v, %v", got, err)
			}
			return nil
		})
		if err := p.ms[1].Leave(t.Context(), "DEN"); err != nil {
			t.Fatal(err)
		}
		p.Wait(10*time.Second, "the den is empty", func() error {
			if got, _ := p.ms[2].Rooms(t.Context()); len(got) != 1 {
				return fmt.Errorf("%+v", got)
			}
			return nil
		})
	})
}

// members returns "nick online" of each, sorted.
func (p *party) members(i int, name string) (out []string) {
	p.t.Helper()
	r, err := p.ms[i].Room(name)
	if err != nil {
		p.t.Fatal(err)
	}
	members, err := r.Members(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range members {
		if m.Self != (m.Peer == p.ms[i].ID()) {
			p.t.Errorf("self of %+v", m)
		}
		out = append(out, fmt.Sprint(m.Nick, " ", m.Online))
	}
	return out
}

func (p *party) waitMembers(d time.Duration, i int, name string, want ...string) {
	p.t.Helper()
	p.Wait(d, fmt.Sprintf("members as node %d sees them", i), func() error {
		if got := p.members(i, name); !slices.Equal(got, want) {
			return fmt.Errorf("%q, not %q", got, want)
		}
		return nil
	})
}

func TestMembersJoinGoAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		for i := range 3 {
			p.join(i, "lobby")
		}
		for i := range 3 {
			p.waitMembers(10*time.Second, i, "lobby", "nick0 true", "nick1 true", "nick2 true")
		}
		if err := p.ms[1].SetNick(t.Context(), "  Bob "); err != nil {
			t.Fatal(err)
		}
		p.waitMembers(5*time.Second, 0, "lobby", "Bob true", "nick0 true", "nick2 true")
		p.Stop(2) // it says goodbye
		p.waitMembers(2*time.Second, 0, "lobby", "Bob true", "nick0 true", "nick2 false")
		p.Start(2)
		p.waitMembers(time.Minute, 0, "lobby", "Bob true", "nick0 true", "nick2 true")
		p.Kill(2)
		p.waitMembers(time.Minute, 0, "lobby", "Bob true", "nick0 true", "nick2 false")
		if err := p.ms[1].Leave(t.Context(), "lobby"); err != nil {
			t.Fatal(err)
		}
		p.waitMembers(5*time.Second, 0, "lobby", "nick0 true", "nick2 false")
		p.join(1, "lobby")
		p.waitMembers(5*time.Second, 0, "lobby", "Bob true", "nick0 true", "nick2 false")
		if got := p.ms[0].Nick(p.Nodes[1].ID()); got != "Bob" {
			t.Errorf("nick %q", got)
		}
	})
}

func TestALeftRoomStaysReadableAndTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		left := p.join(0, "lobby")
		p.join(1, "lobby")
		time.Sleep(3 * time.Second)
		p.say(1, "lobby", "one")
		p.waitTexts(5*time.Second, 0, "lobby", "one")
		if err := p.ms[0].Leave(t.Context(), "lobby"); err != nil {
			t.Fatal(err)
		}
		p.say(1, "lobby", "two")
		time.Sleep(30 * time.Second)
		p.waitTexts(0, 0, "lobby", "one")
		if _, err := left.Send(t.Context(), chat.Text("x")); !errors.Is(err, chat.ErrNotJoined) || !strings.Contains(err.Error(), "join") {
			t.Errorf("sending to it: %v", err)
		}
		if err := p.ms[0].Leave(t.Context(), "lobby"); !errors.Is(err, chat.ErrNotJoined) {
			t.Errorf("leaving it again: %v", err)
		}
		p.Restart(0)
		p.waitTexts(0, 0, "lobby", "one")
		p.join(0, "lobby")
		p.waitTexts(20*time.Second, 0, "lobby", "one", "two")
	})
}

func TestIgnoringHidesAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		for i := range 3 {
			p.join(i, "lobby")
		}
		time.Sleep(3 * time.Second)
		troll := p.Nodes[1].ID()
		if err := p.ms[0].Ignore(t.Context(), troll, true); err != nil {
			t.Fatal(err)
		}
		id := p.say(1, "lobby", "spam")
		p.say(2, "lobby", "ham")
		p.waitTexts(10*time.Second, 0, "lobby", "ham")
		p.waitTexts(10*time.Second, 2, "lobby", "spam", "ham")
		hidden := 0
		for _, m := range p.history(0, "lobby", chat.Query{All: true}) {
			if m.Hidden != (m.Author == troll) {
				t.Errorf("hidden: %+v", m)
			}
			if m.Hidden && m.ID == id {
				hidden++
			}
		}
		if hidden != 1 {
			t.Errorf("hidden %d times", hidden)
		}
		if err := p.ms[0].Ignore(t.Context(), troll, false); err != nil {
			t.Fatal(err)
		}
		p.waitTexts(0, 0, "lobby", "spam", "ham")
	})
}

func TestWrongNamesAndContentsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		m, ctx := p.ms[0], t.Context()
		for _, name := range []string{"", " ", "@x", "#x", "-x", "/x", strings.Repeat("x", 65), "a\x00b"} {
			if _, err := m.Join(ctx, name); !errors.Is(err, chat.ErrRoomName) {
				t.Errorf("joining %q: %v", name, err)
			}
		}
		for _, nick := range []string{"", "\x1b[2J", strings.Repeat("x", 65)} {
			if err := m.SetNick(ctx, nick); !errors.Is(err, chat.ErrNick) {
				t.Errorf("nick %q: %v", nick, err)
			}
		}
		if _, err := m.Room("never"); !errors.Is(err, chat.ErrNoRoom) {
			t.Errorf("a room never joined: %v", err)
		}
		if err := m.Leave(ctx, "never"); !errors.Is(err, chat.ErrNotJoined) {
			t.Errorf("leaving it: %v", err)
		}
		r := p.join(0, "lobby")
		if _, err := r.Send(ctx, chat.Text(strings.Repeat("x", 64<<10))); !errors.Is(err, chat.ErrTooLong) {
			t.Errorf("too long: %v", err)
		}
		if _, err := r.Send(ctx, chat.Text("")); !errors.Is(err, chat.ErrContent) {
			t.Errorf("empty: %v", err)
		}
		if _, err := r.Send(ctx, chat.Custom("two words", []byte("x"), "")); !errors.Is(err, chat.ErrType) {
			t.Errorf("bad type: %v", err)
		}
		if _, err := m.Get(ctx, chat.ID{1}); !errors.Is(err, chat.ErrNoMessage) {
			t.Errorf("no message: %v", err)
		}
		for _, err := range r.History(ctx, chat.Query{Before: &chat.ID{1}}) {
			if !errors.Is(err, chat.ErrNoMessage) {
				t.Errorf("before no message: %v", err)
			}
		}
		if err := m.Ignore(ctx, "nobody", true); !errors.Is(err, chat.ErrPeer) {
			t.Errorf("ignoring nobody: %v", err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Join(ctx, "den"); !errors.Is(err, chat.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if _, err := r.Send(ctx, chat.Text("x")); !errors.Is(err, chat.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}
