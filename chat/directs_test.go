package chat_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// waitDirects waits until node i lists these direct chats, in this order.
func (p *party) waitDirects(d time.Duration, i int, want ...string) {
	p.t.Helper()
	p.Wait(d, fmt.Sprintf("node %d lists its direct chats", i), func() error {
		infos, err := p.ms[i].Directs(p.t.Context())
		if err != nil {
			return err
		}
		var got []string
		for _, c := range infos {
			got = append(got, fmt.Sprintf("%s online=%v unread=%d %s", c.Nick, c.Online, c.Unread, c.State))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
}

// What a person was not shown is counted, over restarts, until it is marked;
// own messages and those of who is ignored are not. The list begins with who
// wrote, or was written to, last.
func TestUnreadMessagesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		p.waitDirects(time.Second, 1)
		p.tell(0, 1, "one")
		p.tell(0, 1, "two")
		time.Sleep(time.Millisecond) // the resolution of a message's time
		p.tell(2, 1, "and I")
		p.waitDirects(time.Second, 1, "nick2 online=true unread=1 ", "nick0 online=true unread=2 ")
		p.waitDirects(time.Second, 0, "nick1 online=true unread=0 delivered")

		first := p.told(1, 0)[0]
		if err := p.direct(1, 0).MarkRead(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		p.tell(1, 0, "I saw the first")
		p.waitDirects(time.Second, 1, "nick0 online=true unread=1 delivered", "nick2 online=true unread=1 ")
		p.tell(0, 1, "three")
		p.waitDirects(time.Second, 1, "nick0 online=true unread=2 ", "nick2 online=true unread=1 ")

		p.Stop(0)
		p.Restart(1)
		p.WaitAdmitted(time.Minute)
		p.waitDirects(time.Minute, 1, "nick0 online=false unread=2 ", "nick2 online=true unread=1 ")
		if err := p.ms[1].Ignore(t.Context(), p.ms[2].ID(), true); err != nil {
			t.Fatal(err)
		}
		all := p.told(1, 0)
		if err := p.direct(1, 0).MarkRead(t.Context(), all[len(all)-1].ID); err != nil {
			t.Fatal(err)
		}
		p.waitDirects(time.Second, 1, "nick0 online=false unread=0 ", "nick2 online=true unread=0 ")

		p.Restart(1)
		p.waitDirects(time.Second, 1, "nick0 online=false unread=0 ", "nick2 online=false unread=0 ")
	})
}

// With oneself nothing is unread.
func TestTheNotebookIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 1, nodetest.Config{})
		before := time.Now().Truncate(time.Millisecond)
		p.tell(0, 0, "milk")
		infos, err := p.ms[0].Directs(t.Context())
		if err != nil || len(infos) != 1 {
			t.Fatal(infos, err)
		}
		if c := infos[0]; c.Unread != 0 || c.State != chat.StateDelivered || c.Last.Before(before) || !c.Online {
			t.Errorf("got %+v", c)
		}
	})
}
