package chat_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// shown follows what node i is shown of others, in the order in which it is.
func (p *party) shown(i int) func() []string {
	updates := make(chan string, 1000)
	go func() { // ends with the messenger
		for u := range p.ms[i].Updates(p.t.Context(), p.ms[i].LastCursor()) {
			if added, ok := u.(chat.MessageAdded); ok && !added.Message.Self {
				updates <- added.Message.Text
			}
		}
	}()
	var all []string
	return func() []string {
		for {
			select {
			case text := <-updates:
				all = append(all, text)
			default:
				return all
			}
		}
	}
}

// Somebody is cut off for a while. What he missed is shown to him in the order
// in which it was said, whether he hears of it by the first signal he gets, by
// gossip whose parents are missing, or by comparing.
func TestASmallGapClosesInOrder(t *testing.T) {
	for _, n := range []int{2, 5, 30} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := gather(t, 3, nodetest.Config{})
				for i := range 3 {
					p.join(i, "lobby")
				}
				for i := range 100 { // some history
					p.say(i%3, "lobby", fmt.Sprint("before ", i))
				}
				p.waitSame(10*time.Second, "lobby", 100, all(3)...)
				time.Sleep(time.Minute)
				shown := p.shown(2)
				p.Cut(2, true)
				time.Sleep(20 * time.Second)
				want := numbered("missed ", n)
				for i, text := range want {
					p.say(i%2, "lobby", text)
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(time.Minute) // gossip does not remember it
				p.Cut(2, false)
				p.Wait(10*time.Minute, "what was missed", func() error {
					if got := shown(); len(got) < n {
						return fmt.Errorf("%d of %d", len(got), n)
					}
					return nil
				})
				if got := shown(); !slices.Equal(got, want) {
					t.Errorf("shown %q", got)
				}
			})
		})
	}
}
