//go:build unix

package eventlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
)

// The store's crash laboratory. A child plays a long random script on a store:
// it begins with one of schema 1, appends, erases, expires, retains, reclaims,
// closes and opens again, and tells each step before it and when it is
// acknowledged. It is stopped at any moment, its directory copied as it is, which
// is what a kill would leave, and the copy is opened and checked: nothing that was
// acknowledged is lost, nothing is there twice, everything fits together. 50 copies
// in make test, or what fits a minute, CRASH_ROUNDS in make crash; CRASH_SEED repeats the script.

const (
	labDirVar  = "PARLEY_EVENTLOG_LAB_DIR"
	labSeedVar = "PARLEY_EVENTLOG_LAB_SEED"
)

func init() { children[labDirVar] = playLab }

// player is the child.
type player struct {
	t       crashTB
	s       *Store
	r       *rand.Rand
	authors []*author
	own     []event.ID
	now     event.HLC
	n       int
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
		for range 150 {
			p.step()
		}
		if err := p.s.Close(); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *player) open(dir string) {
	s, err := Open(context.Background(), Options{Dir: dir, Key: testKey, Light: true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.s = s
	fmt.Println("opened")
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
		floor := secondOf(p.now) - 40
		fmt.Println("retaining", floor)
		_, err = p.s.Retain(ctx, room, RetainOptions{Before: time.Unix(int64(floor), 0)})
		fmt.Println("retained", floor)
	case 3:
		ms := p.now.Millis()
		fmt.Println("expiring", ms)
		_, err = p.s.ExpireDue(ctx, time.UnixMilli(ms))
		fmt.Println("expired", ms)
	case 4:
		if p.n%7 == 0 {
			err = p.s.Reclaim(ctx)
		}
	case 5:
		p.n++
		fmt.Println("setting meta", p.n)
		err = p.s.SetMeta("meta", strconv.AppendInt(nil, int64(p.n), 10))
		fmt.Println("meta meta", p.n)
	default:
		p.append(ctx)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// append appends a batch; what is acknowledged is told event by event.
func (p *player) append(ctx context.Context) {
	a := p.authors[p.r.IntN(len(p.authors))]
	p.now += event.HLC(p.r.IntN(900)) << 16
	a.hlc = max(a.hlc, p.now)
	d := texts([]int{1, 1, 1, 1, 2, 5, 30, 256}[p.r.IntN(8)], p.r.IntN(300))
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
			fmt.Println("event", e.ID, res.Arrival+uint64(i), secondOf(e.HLC), e.Expiry)
			p.own = append(p.own, e.ID)
		}
	}
	p.own = p.own[max(len(p.own)-40, 0):]
}

// told is what the child has told.
type told struct {
	fixture           map[event.ID]bool // of a log to which nothing is done
	events            map[event.ID]toldEvent
	erasing, erased   map[event.ID]bool
	setting, meta     map[string]string
	retaining, floor  uint64
	expiring, expired uint64
}

type toldEvent struct{ arrival, second, expiry uint64 }

func (w *told) take(t *testing.T, line string) {
	t.Helper()
	f := strings.Fields(line)
	number := func(i int) uint64 {
		n, err := strconv.ParseUint(f[i], 10, 64)
		must(t, err)
		return n
	}
	id := func() event.ID {
		id, err := event.ParseID(f[1])
		must(t, err)
		return id
	}
	switch f[0] {
	case "opening", "opened":
	case "erasing":
		w.erasing[id()] = true
	case "erased":
		w.erased[id()] = true
	case "retaining":
		w.retaining = number(1)
	case "retained":
		w.floor = number(1)
	case "expiring":
		w.expiring = number(1)
	case "expired":
		w.expired = number(1)
	case "setting":
		w.setting[f[1]] = f[2]
	case "meta":
		w.meta[f[1]] = f[2]
	case "event":
		w.events[id()] = toldEvent{number(2), number(3), number(4)}
	default:
		t.Fatalf("the child said %q", line)
	}
}

// check compares a store with what was told when its files were copied.
func (w *told) check(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.Check(t.Context()))
	seen := make(map[event.ID]bool)
	for e, err := range s.History(t.Context(), Query{Log: room}) {
		must(t, err)
		if seen[e.Event.ID] {
			t.Errorf("event %v is there twice", e.Event.ID)
		}
		seen[e.Event.ID] = true
	}
	for id, want := range w.events {
		if want.second < w.retaining {
			if !seen[id] {
				delete(w.events, id)
			}
			continue
		}
		e, ok, err := s.Get(id)
		if err != nil || !ok || !seen[id] || e.Arrival != want.arrival {
			t.Fatalf("event %v, acknowledged as %d, is %d (%v, %v)", id, want.arrival, e.Arrival, ok, err)
		}
		gone := w.erased[id] || want.expiry > 0 && want.expiry <= w.expired
		mayGo := w.erasing[id] || want.expiry > 0 && want.expiry <= w.expiring
		if bare := e.Event.Content == nil; gone && !bare || bare && !mayGo {
			t.Errorf("event %v has no content: %v, was erased: %v", id, bare, gone)
		}
	}
	for key, want := range w.meta {
		val, err := s.Meta(key)
		if got := string(val); err != nil || got != want && got != w.setting[key] {
			t.Errorf("value %s is %q, not %q (%v)", key, got, want, err)
		}
	}
	if s.Floor(room) < w.floor {
		t.Errorf("the floor is %d, not %d", s.Floor(room), w.floor)
	}
	for id := range w.fixture { // of the store that the script began with
		if ok, err := s.Has(id); !ok || err != nil {
			t.Fatalf("event %v of the earlier schema: %v, %v", id, ok, err)
		}
	}
}

func TestCrashLaboratory(t *testing.T) {
	rounds, seed, limit := 50, rand.Uint64(), time.Minute
	if testing.Short() {
		rounds = 8
	}
	if s := os.Getenv("CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		rounds, limit = n, 24*time.Hour
	}
	if s := os.Getenv("CRASH_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		must(t, err)
		seed = n
	}
	t.Logf("CRASH_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	whole, fixture := open(t, t.TempDir()), make(map[event.ID]bool)
	fillFixture(t, whole)
	for _, e := range collect(t, whole.History(t.Context(), Query{Log: event.LogID{2}})) {
		fixture[e.Event.ID] = true
	}
	for left := rounds; left > 0 && !t.Failed(); left -= 25 { // a store and a script for each 25
		runLab(t, r, fixture, min(25, left), time.Now().Add(limit/2))
	}
}

// runLab lets a child play and looks at copies of its store.
func runLab(t *testing.T, r *rand.Rand, fixture map[event.ID]bool, copies int, end time.Time) {
	t.Helper()
	dir := readFixture(t, fixturePath(1))["running"]
	l := startLab(t, dir, r.Uint64())
	w := &told{
		fixture: fixture,
		events:  make(map[event.ID]toldEvent), erasing: make(map[event.ID]bool), erased: make(map[event.ID]bool),
		setting: make(map[string]string), meta: make(map[string]string),
	}
	for n := 0; n < copies && time.Now().Before(end); n++ {
		lines := r.IntN(150)
		if n < 3 {
			lines = 1 + n // while it takes over the earlier schema, and just after
		}
		l.read(t, lines, w)
		l.stop(t, w)
		at := t.TempDir()
		copyDir(t, dir, at)
		s := open(t, at)
		w.check(t, s)
		checkedClose(t, s)
		must(t, os.RemoveAll(at))
		if t.Failed() {
			t.Fatalf("copy %d", n)
		}
		must(t, l.cmd.Process.Signal(syscall.SIGCONT))
	}
	must(t, l.cmd.Process.Kill())
	_ = l.cmd.Wait()
	l.drain(t, w)
	s := open(t, dir)
	w.check(t, s)
	checkedClose(t, s)
}

// lab is a child under observation.
type lab struct {
	cmd  *exec.Cmd
	out  *os.File
	in   *bufio.Reader
	part string // of a line
	errs strings.Builder
}

func startLab(t *testing.T, dir string, seed uint64) *lab {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	l := &lab{out: r, in: bufio.NewReader(r)}
	l.cmd = exec.CommandContext(t.Context(), os.Args[0])
	l.cmd.Env = append(os.Environ(), labDirVar+"="+dir, labSeedVar+"="+strconv.FormatUint(seed, 10))
	l.cmd.Stdout, l.cmd.Stderr = w, &l.errs
	must(t, l.cmd.Start())
	w.Close()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		_ = l.cmd.Wait()
		r.Close()
	})
	return l
}

// read takes some lines in.
func (l *lab) read(t *testing.T, n int, w *told) {
	t.Helper()
	for range n {
		if !l.line(t, w, time.Minute) {
			t.Fatalf("the child says nothing: %s", l.errs.String())
		}
	}
}

// line takes one line in; false if none came in time or will come.
func (l *lab) line(t *testing.T, w *told, limit time.Duration) bool {
	t.Helper()
	must(t, l.out.SetReadDeadline(time.Now().Add(limit)))
	s, err := l.in.ReadString('\n')
	l.part += s
	if err != nil {
		return false
	}
	w.take(t, strings.TrimSpace(l.part))
	l.part = ""
	return true
}

// stop stops the child and takes in what it said until then.
func (l *lab) stop(t *testing.T, w *told) {
	t.Helper()
	must(t, l.cmd.Process.Signal(syscall.SIGSTOP))
	var st syscall.WaitStatus
	for {
		_, err := syscall.Wait4(l.cmd.Process.Pid, &st, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		must(t, err)
		break
	}
	if !st.Stopped() {
		t.Fatalf("the child ended by itself: %v %s", st, l.errs.String())
	}
	l.drain(t, w)
}

func (l *lab) drain(t *testing.T, w *told) {
	t.Helper()
	for l.line(t, w, 20*time.Millisecond) {
	}
}
