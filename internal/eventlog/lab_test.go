//go:build unix

package eventlog

import (
	"errors"
	"fmt"
	"math"
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
// it begins with one of schema 1, appends, erases, expires, retains, cuts authors and
// takes that back, reclaims, purges, closes and opens again, and tells each step before it and when it is
// acknowledged. It is stopped after every commit, sync and step, whenever a file comes, goes or
// is written to by a call, and at random in between. At each stop its files are
// what a kill would leave. They are opened and checked as they are; cut at a random byte
// of what was written since the last stop; and with random pages as they were at the last
// sync: nothing that was acknowledged, or synced, is lost, nothing is there twice or though
// it was cut, no number is given again, everything fits together.
//
// Not modelled: a half written page; a file system that loses what was synced or undoes a
// removal; and keys that reach the disk before the values of payloads that are being written anew
// (Erase, Reclaim), which the store syncs first, though a kernel may choose to.
//
// CRASH_ROUNDS is how many stops are looked at: 50 in make test, of each 20th on
// average, or what fits 20 s; 1,000 in make crash, all of them. CRASH_SEED repeats the script.

func TestCrashLaboratory(t *testing.T) {
	rounds, seed, every, limit := 50, rand.Uint64(), 20, 20*time.Second
	if testing.Short() {
		rounds = 8
	}
	if s := os.Getenv("CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		rounds, every, limit = n, 1, 24*time.Hour
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
	end, copies := time.Now().Add(limit), make(map[string]int)
	for left := rounds; left > 0 && !t.Failed() && time.Now().Before(end); left -= labRun {
		runLab(t, r, fixture, min(labRun, left), every, end, copies)
	}
	t.Logf("copies: %v", copies)
}

// labRun is after how many looks a new script begins with a new store.
const labRun = 500

// runLab lets a child play and looks at what it leaves, so many times.
func runLab(t *testing.T, r *rand.Rand, fixture map[event.ID]bool, rounds, every int, end time.Time, copies map[string]int) {
	t.Helper()
	dir := readFixture(t, fixturePath(1))["running"]
	l, w := startLab(t, dir, r.Uint64()), newTold(fixture)
	var before, synced moment
	for n := 0; n < rounds && time.Now().Before(end); {
		l.play(t, r)
		l.drain(t, w)
		look := n < 3 || r.IntN(every) == 0 // the first while it takes over the earlier schema
		if !look && w.synced == nil {
			before = moment{}
			continue
		}
		now := moment{takeImage(t, dir), w.clone()}
		if w.synced != nil {
			synced, w.synced = moment{now.files, w.synced}, nil
		}
		if look {
			n++
			copies["after "+w.last]++
			now.examine(t, "as it was", now, now.files)
			if cut, ok := now.files.cut(r, before.files); ok {
				copies["cut"]++
				before.examine(t, "cut", now, cut)
			}
			if lost, ok := now.files.lose(r, synced.files, now.told.moves); ok {
				copies["pages lost"]++
				synced.examine(t, "pages lost", now, lost)
			}
		}
		before = now
		if t.Failed() {
			t.Fatalf("copies: %v", copies)
		}
	}
	must(t, l.cmd.Process.Kill())
	_ = l.cmd.Wait()
}

// moment is what there is and what was told at a stop.
type moment struct {
	files image
	told  *told
}

// examine opens files that must have all that was told at a moment.
func (m moment) examine(t *testing.T, how string, now moment, files image) {
	t.Helper()
	dir := t.TempDir()
	defer func() {
		if t.Failed() {
			t.Logf("a copy %s, after it was said %q", how, now.told.last)
		}
	}()
	files.write(t, dir)
	s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: true})
	must(t, err)
	m.told.check(t, s, now.told)
	must(t, s.Close())
	must(t, os.RemoveAll(dir))
}

// lab is a child under observation.
type lab struct {
	cmd  *exec.Cmd
	out  *os.File
	part string // of a line
	errs strings.Builder
}

func startLab(t *testing.T, dir string, seed uint64) *lab {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	l := &lab{out: r}
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
	watchFiles(t, dir, l.stop)
	return l
}

// stop stops the child. If it stands already, going on forgets the signal.
func (l *lab) stop() { _ = l.cmd.Process.Signal(syscall.SIGSTOP) }

// play lets the child go on until it stops itself or is stopped: by a file or,
// after 20 µs to 40 ms, by the clock.
func (l *lab) play(t *testing.T, r *rand.Rand) {
	t.Helper()
	must(t, l.cmd.Process.Signal(syscall.SIGCONT))
	timer := time.AfterFunc(time.Duration(20e3*math.Exp2(11*r.Float64())), l.stop)
	defer timer.Stop()
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
}

// drain takes in what the child, which stands, has said.
func (l *lab) drain(t *testing.T, w *told) {
	t.Helper()
	raw, err := l.out.SyscallConn()
	must(t, err)
	for buf, n := make([]byte, 1<<16), 1; n > 0; {
		must(t, raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buf)
			return true
		}))
		if n > 0 {
			l.part += string(buf[:n])
		} else if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
			t.Fatal(fmt.Errorf("reading what the child says: %w", err))
		}
	}
	for {
		line, rest, whole := strings.Cut(l.part, "\n")
		if !whole {
			return
		}
		w.take(t, line)
		l.part = rest
	}
}
