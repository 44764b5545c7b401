package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// One of two keeps two hours. What is older goes there within the hour, and
// does not come back from the other; who is in the room stays known, over a
// restart too, and the own profile is written anew, for those who come later.
func TestOldMessagesGoAndMembersStay(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.keep = map[int]chat.Retention{0: {MaxAge: 2 * time.Hour}}
		p.Restart(0)
		p.WaitAdmitted(time.Minute)
		p.join(0, "lobby")
		p.join(1, "lobby")
		time.Sleep(3 * time.Second)
		for i := range 20 {
			p.say(i%2, "lobby", fmt.Sprintf("old %d", i))
		}
		p.waitSame(time.Minute, "lobby", 20, 0, 1)
		time.Sleep(90 * time.Minute)
		p.say(1, "lobby", "new")
		time.Sleep(100 * time.Minute)
		for range 2 {
			p.waitTexts(time.Minute, 0, "lobby", "new")
			if got := len(p.history(1, "lobby", chat.Query{})); got != 21 {
				t.Errorf("the other has %d messages", got)
			}
			r, err := p.ms[0].Room("lobby")
			if err != nil {
				t.Fatal(err)
			}
			if members, err := r.Members(t.Context()); err != nil || len(members) != 2 || members[1].Nick != "nick1" {
				t.Errorf("members %+v, %v", members, err)
			}
			p.Restart(0)
			p.WaitAdmitted(time.Minute)
			time.Sleep(10 * time.Second)
		}
		profiles := 0
		for _, m := range p.history(1, "lobby", chat.Query{All: true}) {
			if m.Kind == chat.KindProfile && m.Author == p.Nodes[0].ID() {
				profiles++
			}
		}
		if profiles != 2 {
			t.Errorf("the own profile was written %d times", profiles)
		}
	})
}

// A clock that is set a year ahead must not delete what is of today: others
// tell that it is wrong.
func TestAWrongClockDeletesNothing(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		ahead := time.Duration(0)
		p := gather(t, 3, nodetest.Config{Configure: func(i int, c *node.Config) {
			if i == 0 {
				c.Now = func() time.Time { return time.Now().Add(ahead) }
			}
		}})
		p.join(0, "lobby")
		p.join(1, "lobby")
		p.join(2, "lobby")
		time.Sleep(3 * time.Second)
		p.say(0, "lobby", "of today")
		p.waitSame(time.Minute, "lobby", 1, 0, 1, 2)
		p.keep = map[int]chat.Retention{0: {MaxAge: 24 * time.Hour}}
		p.Stop(0)
		ahead = 365 * 24 * time.Hour
		p.Start(0)
		time.Sleep(2 * time.Hour)
		if got := texts(p.history(0, "lobby", chat.Query{})); !slices.Equal(got, []string{"of today"}) {
			t.Errorf("it has %q", got)
		}
	})
}

func TestTheOldestGoBeyondASize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		p.join(0, "lobby")
		for i := range 100 {
			p.say(0, "lobby", fmt.Sprint(i))
			time.Sleep(2 * time.Second)
		}
		p.keep = map[int]chat.Retention{0: {MaxBytes: 10 << 10}}
		p.Restart(0)
		time.Sleep(70 * time.Second)
		got := texts(p.history(0, "lobby", chat.Query{}))
		if len(got) < 10 || len(got) > 60 || got[len(got)-1] != "99" {
			t.Errorf("%d are left: %q", len(got), got)
		}
	})
}

// A direct message waits for its receiver, however old it becomes; then it goes
// like others.
func TestADirectMessageOutlivesRetentionUntilItIsDelivered(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.keep = map[int]chat.Retention{0: {MaxAge: time.Hour}}
		p.Restart(0)
		p.WaitAdmitted(time.Minute)
		p.Cut(1, true)
		id, err := p.ms[0].Direct(p.Nodes[1].ID()).Send(t.Context(), chat.Text("for you"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		p.Cut(1, false)
		p.WaitAdmitted(10 * time.Minute)
		p.Wait(time.Minute, "it is there", func() error {
			for m, err := range p.ms[1].Direct(p.Nodes[0].ID()).History(t.Context(), chat.Query{}) {
				if err != nil || m.Text == "for you" {
					return err
				}
			}
			return errors.New("it is not")
		})
		p.waitHeld(time.Minute, 0, id, chat.StateDelivered)
		time.Sleep(3 * time.Hour)
		if _, err := p.ms[0].Get(t.Context(), id); !errors.Is(err, chat.ErrNoMessage) {
			t.Errorf("it is kept: %v", err)
		}
	})
}

// Two who keep two hours are apart for five. What each said meanwhile reaches the
// other, and is known to; then it goes like others.
func TestWhatNobodyHoldsOutlivesRetention(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		keep := chat.Retention{MaxAge: 2 * time.Hour}
		p := gather(t, 2, nodetest.Config{})
		p.keep = map[int]chat.Retention{0: keep, 1: keep}
		for i := range 2 {
			p.Restart(i)
			p.join(i, "lobby")
		}
		p.WaitAdmitted(time.Minute)
		p.say(0, "lobby", "together")
		p.waitTexts(time.Minute, 1, "lobby", "together")
		time.Sleep(time.Minute)
		p.Cut(1, true)
		time.Sleep(time.Minute)
		ids := []chat.ID{p.say(0, "lobby", "apart 0"), p.say(1, "lobby", "apart 1")}
		time.Sleep(5 * time.Hour)
		p.Cut(1, false)
		p.WaitAdmitted(10 * time.Minute)
		for i, id := range ids {
			p.waitHeld(2*time.Minute, i, id, "held 1/1")
			p.waitTexts(time.Minute, i, "lobby", "apart 0", "apart 1")
		}
		time.Sleep(2 * time.Hour)
		for i := range 2 {
			if got := texts(p.history(i, "lobby", chat.Query{})); len(got) > 0 {
				t.Errorf("node %d keeps %q", i, got)
			}
			p.say(i, "lobby", "and on")
		}
		p.waitSame(time.Minute, "lobby", 2, 0, 1)
	})
}

// What was written to one who keeps little and was away for longer is shown to
// him; then it goes like others.
func TestWhatWaitedLongerThanItsReceiverKeepsIsRead(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.keep = map[int]chat.Retention{1: {MaxAge: 2 * time.Hour, MaxBytes: 1 << 10}}
		p.Restart(1)
		p.WaitAdmitted(time.Minute)
		p.tell(0, 1, "first")
		p.waitReach(time.Minute, 0, 1, chat.StateDelivered)
		time.Sleep(time.Minute)
		p.Cut(1, true)
		time.Sleep(time.Minute)
		p.tell(0, 1, "while you were away")
		time.Sleep(5 * time.Hour)
		p.Cut(1, false)
		p.WaitAdmitted(10 * time.Minute)
		p.waitReach(time.Minute, 0, 1, chat.StateDelivered)
		if got := texts(p.told(1, 0)); !slices.Contains(got, "while you were away") {
			t.Errorf("it was delivered, and there is %q", got)
		}
		time.Sleep(2 * time.Hour)
		if got := texts(p.told(1, 0)); len(got) > 0 {
			t.Errorf("%q is kept", got)
		}
	})
}

func TestErasingIsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		p.join(1, "lobby")
		time.Sleep(3 * time.Second)
		id := p.say(0, "lobby", "secret")
		p.waitTexts(10*time.Second, 1, "lobby", "secret")
		whole := p.exported(1, "lobby")
		if err := p.ms[1].Erase(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		erased := func() {
			t.Helper()
			if m := p.history(1, "lobby", chat.Query{})[0]; !m.Erased || m.Text != "" || m.ID != id {
				t.Errorf("it is %+v", m)
			}
		}
		erased()
		if got := p.imports(1, "lobby", whole); got.New != 0 || got.Known != len(whole) {
			t.Errorf("imported again: %+v", got)
		}
		p.Restart(1)
		time.Sleep(time.Minute)
		erased()
		if got := texts(p.history(0, "lobby", chat.Query{})); !slices.Equal(got, []string{"secret"}) {
			t.Errorf("the other has %q", got)
		}
		if err := p.ms[1].Erase(t.Context(), chat.ID{1}); !errors.Is(err, chat.ErrNoMessage) {
			t.Errorf("what is not there: %v", err)
		}
	})
}
