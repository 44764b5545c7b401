//go:build unix

package eventlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/event"
)

const (
	labDirVar  = "PARLEY_EVENTLOG_LAB_DIR"
	labSeedVar = "PARLEY_EVENTLOG_LAB_SEED"
)

func init() { children[labDirVar] = playLab }

// player is the child of the crash laboratory: it says what it is about to do and
// what was acknowledged, and stops itself after each commit, sync and step.
type player struct {
	t       crashTB
	s       *Store
	r       *rand.Rand
	authors []*author
	cuts    []Cut
	own     []event.ID
	now     event.HLC
	n       int
	newest  int // author
}

func playLab(dir string) {
	seed, _ := strconv.ParseUint(os.Getenv(labSeedVar), 10, 64)
	p := &player{r: rand.New(rand.NewPCG(seed, 1)), now: 1_800_000_000_000 << 16}
	for n := range 3 {
		p.authors = append(p.authors, newAuthor(100+n))
	}
	for {
		fmt.Println("opening")
		p.open(dir)
		for range 200 {
			p.step()
			halt("step")
		}
		if err := p.s.Close(); err != nil {
			p.t.Fatal(err)
		}
		halt("synced") // the end was noted and synced, and then all written to tables
	}
}

// halt says something and stops this process until it is told to go on.
func halt(why string) {
	fmt.Println(why)
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}

// afterSync and afterCommit take the place of the metrics that the writer tells
// of both, at once.
type (
	afterSync   struct{ prometheus.Counter }
	afterCommit struct{ prometheus.Histogram }
)

func (afterSync) Inc()              { halt("synced") }
func (afterCommit) Observe(float64) { halt("committed") }

// open opens the store with value-log files and runs so small that one follows the other.
func (p *player) open(dir string) {
	small := profileFor(true)
	small.vlogFile, small.runLen = 1<<20, 20
	s, err := openWith(context.Background(), Options{Dir: dir, Key: testKey}, small)
	if err != nil {
		p.t.Fatal(err)
	}
	s.metrics.syncs, s.metrics.commits = afterSync{s.metrics.syncs}, afterCommit{s.metrics.commits}
	p.s = s
	halt("synced")
}

func (p *player) step() {
	ctx := context.Background()
	var err error
	switch p.r.IntN(24) {
	case 0, 1:
		if len(p.own) == 0 {
			return
		}
		id := p.own[p.r.IntN(len(p.own))]
		fmt.Println("erasing", id)
		_, err = p.s.Erase(ctx, id)
		fmt.Println("erased", id)
	case 2:
		floor := secondOf(p.now) - 20
		fmt.Println("retaining", floor)
		_, err = p.s.Retain(ctx, room, RetainOptions{Before: time.Unix(int64(floor), 0)})
		fmt.Println("retained", floor)
	case 3:
		ms := p.now.Millis()
		fmt.Println("expiring", ms)
		_, err = p.s.ExpireDue(ctx, time.UnixMilli(ms))
		fmt.Println("expired", ms)
	case 4:
		fmt.Println("reclaiming")
		if p.r.IntN(2) == 0 {
			err = p.s.Reclaim(ctx)
		} else {
			err = p.s.Purge(ctx)
		}
	case 5:
		p.n++
		fmt.Println("setting meta", p.n)
		err = p.s.SetMeta("meta", strconv.AppendInt(nil, int64(p.n), 10))
		fmt.Println("meta meta", p.n)
	case 6:
		err = p.cut(ctx)
	default:
		p.append(ctx)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// cut cuts an author somewhere behind, whose place another one takes, and now and then nobody.
func (p *player) cut(ctx context.Context) error {
	n := p.r.IntN(len(p.authors))
	a := p.authors[n]
	if a.seq[room] == 0 {
		return nil
	}
	if p.r.IntN(4) == 0 {
		p.cuts = nil
	}
	seq := p.r.Uint64N(a.seq[room] + 1)
	if p.r.IntN(2) == 0 {
		seq = a.seq[room] - min(a.seq[room], p.r.Uint64N(40))
	}
	c := Cut{Author: a.id, At: unlimited, Named: map[event.LogID]Place{room: {Seq: seq + 1}}}
	fmt.Printf("cutting %x %d\n", a.id, seq)
	p.cuts = append(p.cuts, c)
	_, err := p.s.SetCuts(ctx, p.cuts)
	fmt.Printf("cut %x %d\n", a.id, seq)
	p.newest++
	p.authors[n] = newAuthor(1000 + p.newest)
	return err
}

// append appends a batch; what is acknowledged is told event by event.
func (p *player) append(ctx context.Context) {
	a := p.authors[p.r.IntN(len(p.authors))]
	p.now += event.HLC(p.r.IntN(900)) << 16
	a.hlc = max(a.hlc, p.now)
	d := texts([]int{1, 1, 1, 2, 5, 30, 256, 256}[p.r.IntN(8)], p.r.IntN(300))
	if p.r.IntN(3) == 0 {
		d[0].Expiry = uint64(p.now.Millis()) + 3000
	}
	b := a.seal(p.t, room, d...)
	p.n++
	mark := Mark{fmt.Sprintf("key/%d", p.n%50), strconv.AppendInt(nil, int64(p.n), 10)}
	fmt.Println("setting", mark.Key, p.n)
	res, err := p.s.AppendWith(ctx, b, p.r.IntN(3) == 0, mark)
	if err != nil {
		p.t.Fatal(err)
	}
	fmt.Println("meta", mark.Key, p.n)
	for i := range b.Events {
		if i == 0 || i == len(b.Events)-1 {
			e := &b.Events[i]
			fmt.Printf("event %v %d %d %d %x %d\n", e.ID, res.Arrival+uint64(i), secondOf(e.HLC), e.Expiry, e.Author, e.Seq)
			p.own = append(p.own, e.ID)
		}
	}
	p.own = p.own[max(len(p.own)-40, 0):]
}
