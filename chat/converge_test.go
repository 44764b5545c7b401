package chat_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node/nodetest"
)

// all counts from 0 to n-1.
func all(n int) (nodes []int) {
	for i := range n {
		nodes = append(nodes, i)
	}
	return nodes
}

func TestTenNodesConvergeUnderLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	for _, loss := range []float64{0.1, 0.3} {
		t.Run(fmt.Sprint(loss), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n, rounds = 10, 20
				p := gather(t, n, nodetest.Config{Loss: loss, Latency: 10 * time.Millisecond})
				for i := range n {
					p.join(i, "lobby")
				}
				for round := range rounds {
					for i := range n {
						p.say(i, "lobby", fmt.Sprintf("%d of %d", round, i))
					}
					time.Sleep(100 * time.Millisecond)
				}
				p.waitSame(2*time.Minute, "lobby", n*rounds, all(n)...)

				late := p.Add()
				p.join(late, "lobby")
				p.waitSame(2*time.Minute, "lobby", n*rounds, all(n+1)...)
			})
		})
	}
}

// spec: 06-sync M14
func TestBothSidesOfAPartitionMeetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 6, nodetest.Config{})
		for i := range 6 {
			p.join(i, "lobby")
		}
		time.Sleep(5 * time.Second)
		p.Partition([]int{0, 1, 2}, []int{3, 4, 5})
		time.Sleep(15 * time.Second) // they lose each other
		for i := range 30 {
			p.say(0, "lobby", fmt.Sprint("left ", i))
			p.say(3, "lobby", fmt.Sprint("right ", i))
		}
		p.waitSame(time.Minute, "lobby", 30, 0, 1, 2)
		p.waitSame(time.Minute, "lobby", 30, 3, 4, 5)
		p.Heal()
		p.waitSame(3*time.Minute, "lobby", 60, all(6)...)
	})
}

// A node that is cut off stores what it says and tells nobody; it ends, and is
// started again: the others get it then.
func TestWhatWasStoredAndNotPublishedArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 3, nodetest.Config{})
		for i := range 3 {
			p.join(i, "lobby")
		}
		time.Sleep(3 * time.Second)
		p.say(0, "lobby", "heard")
		p.waitSame(time.Minute, "lobby", 1, 0, 1, 2)
		p.Partition([]int{0}, []int{1, 2})
		time.Sleep(15 * time.Second)
		p.say(0, "lobby", "unheard")
		p.Kill(0)
		p.Heal()
		p.Start(0)
		p.waitTexts(time.Minute, 1, "lobby", "heard", "unheard")
		p.waitSame(time.Minute, "lobby", 2, 0, 1, 2)
	})
}

func TestANewcomerGetsTheWholeHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 12_000
		p := gather(t, 2, nodetest.Config{})
		r := p.join(0, "lobby")
		for _, err := range r.SendAll(t.Context(), count(n)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second) // node 1 hears of it
		p.join(1, "lobby")
		time.Sleep(4 * time.Second) // too short for a second reason to ask
		p.waitSame(0, "lobby", n, 0, 1)
	})
}

// copyDir copies a data directory, whose files are private.
func copyDir(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A directory is put back from a copy, so that its author forgets what he said
// last, and says something else before the others can tell him.
//
// spec: 03-events M12
func TestARestoredBackupForksOnceAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		p.join(1, "lobby")
		time.Sleep(3 * time.Second)
		backup := filepath.Join(t.TempDir(), "backup")
		p.Stop(0)
		copyDir(t, backup, p.Dir(0))
		p.Start(0)
		p.WaitAdmitted(time.Minute)
		time.Sleep(3 * time.Second)
		for _, text := range []string{"one", "two", "three"} {
			p.say(0, "lobby", text)
		}
		p.waitTexts(time.Minute, 1, "lobby", "one", "two", "three")
		p.Stop(0)
		if err := os.RemoveAll(p.Dir(0)); err != nil {
			t.Fatal(err)
		}
		copyDir(t, p.Dir(0), backup)
		p.Partition([]int{0}, []int{1})
		p.Start(0)
		p.say(0, "lobby", "fork")
		p.Heal()
		p.waitSame(2*time.Minute, "lobby", 4, 0, 1)
		p.say(0, "lobby", "four")
		p.waitSame(time.Minute, "lobby", 5, 0, 1)
		forks := map[string]bool{}
		for _, m := range p.history(1, "lobby", chat.Query{}) {
			forks[m.Text] = m.Fork
		}
		want := map[string]bool{"one": true, "fork": true, "two": false, "three": false, "four": false}
		if !maps.Equal(forks, want) {
			t.Errorf("forks: %v", forks)
		}
	})
}

// spec: 03-events M11
func TestARestartKeepsRoomsHistoryAndNumbering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gather(t, 2, nodetest.Config{})
		p.join(0, "lobby")
		p.join(0, "den")
		p.join(1, "lobby")
		if err := p.ms[0].Ignore(t.Context(), p.Nodes[1].ID(), true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		first := p.say(0, "lobby", "before")
		before := p.history(0, "lobby", chat.Query{All: true})
		p.Restart(0)
		if got := p.history(0, "lobby", chat.Query{All: true}); len(got) < len(before) {
			t.Errorf("%d events, %d before", len(got), len(before))
		}
		id := p.say(0, "lobby", "after")
		was, err := p.ms[0].Get(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		is, err := p.ms[0].Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if is.Seq != was.Seq+1 || is.Fork || was.Fork {
			t.Errorf("seq %d after %d, forks %v %v", is.Seq, was.Seq, was.Fork, is.Fork)
		}
		rooms, err := p.ms[0].Rooms(t.Context())
		if err != nil || len(rooms) != 2 || !rooms[0].Joined || rooms[0].Name != "den" || rooms[1].Name != "lobby" {
			t.Errorf("rooms %+v, %v", rooms, err)
		}
		if got := p.ms[0].Ignored(); len(got) != 1 || got[0] != p.Nodes[1].ID() {
			t.Errorf("ignored %v", got)
		}
		p.waitTexts(time.Minute, 1, "lobby", "before", "after")
	})
}
