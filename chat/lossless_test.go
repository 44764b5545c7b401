package chat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/chat"
	"github.com/parley-chat/parley/node"
	"github.com/parley-chat/parley/node/nodetest"
)

// clocks are the wall clocks of nodes: fake time, each off by what it was stepped.
type clocks struct{ off [64]atomic.Int64 }

func (c *clocks) configure(i int, cfg *node.Config) {
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(c.off[i].Load())) }
}

func (c *clocks) set(i int, off time.Duration) { c.off[i].Store(int64(off)) }

// trouble is a room of nodes to which everything happens that happens to machines.
type trouble struct {
	*party
	rng    *rand.Rand
	clocks *clocks
	said   []map[string]bool // by node: texts it was told are safe
}

func (x *trouble) speak(i int) {
	text := fmt.Sprintf("%d of %d", len(x.said[i]), i)
	x.say(i, "lobby", text)
	x.said[i][text] = true
}

// phase tells how far it is, and at what fake time.
func (x *trouble) phase(name string) { x.t.Logf("%s: %s", name, time.Now().Format(time.TimeOnly)) }

// everybody lets those nodes that run say something, in an order that varies.
func (x *trouble) everybody(times int) {
	for range times {
		for _, i := range x.rng.Perm(len(x.said)) {
			if x.Nodes[i] != nil {
				x.speak(i)
				time.Sleep(time.Duration(x.rng.IntN(100)) * time.Millisecond)
			}
		}
	}
}

// canonical is what a person may compare: the whole history, byte for byte.
func (x *trouble) canonical(i int) []byte {
	x.t.Helper()
	var out bytes.Buffer
	for _, m := range x.history(i, "lobby", chat.Query{All: true}) {
		m.Nick, m.State, m.Cursor, m.Self = "", "", 0, false
		line, err := json.Marshal(m)
		if err != nil {
			x.t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	return out.Bytes()
}

// differs tells which nodes have another history than the first; "" if none has.
func (x *trouble) differs() string {
	x.t.Helper()
	var out []string
	first := x.canonical(0)
	for i := range x.said {
		if got := x.canonical(i); !bytes.Equal(got, first) {
			out = append(out, fmt.Sprintf("node %d (%+d B)", i, len(got)-len(first)))
		}
	}
	return strings.Join(out, ", ")
}

// converged waits until all histories are the same bytes, and then looks for
// everything that anybody was ever told to be safe.
func (x *trouble) converged(d time.Duration) {
	x.t.Helper()
	told := ""
	for end := time.Now().Add(d); ; time.Sleep(time.Second) {
		differs := x.differs()
		if differs == "" {
			break
		}
		if time.Now().After(end) {
			x.t.Fatalf("within %v histories are not the same: %s", d, differs)
		}
		if differs != told {
			told = differs
			x.phase("differs from node 0: " + differs)
		}
	}
	have := map[string]int{}
	for _, text := range texts(x.history(0, "lobby", chat.Query{})) {
		have[text]++
	}
	for i, said := range x.said {
		for text := range said {
			if have[text] == 0 {
				x.t.Errorf("node %d was told that %q is safe, and it is lost", i, text)
			}
		}
	}
	for text, n := range have {
		if n > 1 {
			x.t.Errorf("%q is there %d times", text, n)
		}
	}
}

// A room lives through loss, partitions, restarts, clocks that step by days either
// way, and a backup that is put back over a newer state. In the end all have the
// same history, byte for byte, and all that was ever acknowledged. make soak plays
// it with thirty nodes.
func TestARoomLosesNothing(t *testing.T) {
	n, losses := 10, []float64{0.1}
	if testing.Short() { // under the race detector
		n = 6
	}
	if s := os.Getenv("ROOM_NODES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, 0.3)
	}
	for _, loss := range losses {
		t.Run(fmt.Sprint(loss), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lifeOfARoom(t, n, loss) })
		})
	}
}

func lifeOfARoom(t *testing.T, n int, loss float64) {
	x := &trouble{rng: rand.New(rand.NewPCG(7, uint64(loss*100))), clocks: new(clocks)}
	x.party = gather(t, n, nodetest.Config{Loss: loss, Latency: 5 * time.Millisecond, Configure: x.clocks.configure})
	for i := range n {
		x.join(i, "lobby")
		x.said = append(x.said, map[string]bool{})
	}
	x.phase("joined")
	x.everybody(2)

	backup := filepath.Join(t.TempDir(), "backup")
	x.Stop(1)
	copyDir(t, backup, x.Dir(1))
	x.Start(1)
	x.everybody(1)

	x.phase("backup made")
	left, right := all(n)[:n/2], all(n)[n/2:]
	x.Partition(left, right)
	x.clocks.set(2, 49*time.Hour)
	x.clocks.set(n-1, -73*time.Hour)
	x.everybody(2)
	for _, i := range []int{3, n - 2} {
		x.Kill(i)
	}
	time.Sleep(10 * time.Second)
	x.everybody(1)
	for _, i := range []int{3, n - 2} {
		x.Start(i)
	}
	x.Heal()
	x.everybody(1)

	x.phase("healed")
	x.restore(1, backup)
	x.everybody(1)
	x.clocks.set(2, 0)
	x.clocks.set(n-1, 0)
	x.everybody(1)

	x.phase("all is said")
	time.Sleep(time.Minute)
	for i := range n { // the days pass that one clock was ahead
		x.clocks.set(i, 50*time.Hour)
	}
	x.converged(10 * time.Minute)
	x.phase("converged")
	if !slices.ContainsFunc(x.history(0, "lobby", chat.Query{All: true}), func(m chat.Message) bool { return m.Fork }) {
		t.Error("the fork of the restored backup is not shown")
	}
}

// restore puts a backup back over what node i has now, while nobody can tell it.
func (x *trouble) restore(i int, backup string) {
	x.t.Helper()
	x.Stop(i)
	if err := os.RemoveAll(x.Dir(i)); err != nil {
		x.t.Fatal(err)
	}
	copyDir(x.t, x.Dir(i), backup)
	others := slices.Delete(all(len(x.said)), i, i+1)
	x.Partition([]int{i}, others)
	x.Start(i)
	x.speak(i)
	x.Heal()
}
