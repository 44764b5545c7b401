package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// step is one thing that was written.
type step struct {
	name string
	at   int64
	data []byte
}

// recorded is all that writing n records writes, in order, and what callers had
// been told when each step began.
func recorded(t *testing.T, n int) (steps []step, told []int) {
	t.Helper()
	var acknowledged atomic.Int64
	c := small(t)
	c.SegmentSize = 1 << 10
	c.wrote = func(name string, at int64, b []byte) {
		steps, told = append(steps, step{name, at, bytes.Clone(b)}), append(told, int(acknowledged.Load()))
	}
	for dir, at := t.TempDir(), 0; at < n; at += 3 { // each opening is one checkpoint more
		l := open(t, dir, c)
		for i := range 3 {
			fill(t, l, at+i, at+i+1)
			acknowledged.Add(1)
		}
		closed(t, l)
	}
	return steps, told
}

func (s step) play(t *testing.T, dir string, length int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, s.name), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(s.data[:length], s.at); err != nil {
		t.Fatal(err)
	}
}

// Killed after any write, or within it, a log opens, has every record that was
// acknowledged, is sound, and takes the next. Nothing but a torn end is lost, and
// no checkpoint names what is not there.
//
// spec: 12-audit M7
func TestALogOpensAfterEachWrite(t *testing.T) {
	steps, told := recorded(t, 9)
	base := t.TempDir()
	for i, s := range steps {
		for _, length := range lengths(len(s.data), apart(s, i, len(steps))) {
			dir := copyDir(t, base)
			s.play(t, dir, length)
			opensWith(t, dir, told[i], fmt.Sprintf("step %d (%s), %d of %d bytes", i, s.name, length, len(s.data)))
		}
		s.play(t, base, len(s.data))
	}
	opensWith(t, base, 9, "all")
}

// apart is how far from each other the places are at which a write is stopped: one byte
// in the last records, a few in what follows from them.
func apart(s step, i, n int) int {
	switch {
	case i < n-3:
		return 131
	case strings.HasPrefix(s.name, "records"):
		return 1
	default:
		return 9
	}
}

// lengths are how far a write of n bytes came.
func lengths(n, step int) (all []int) {
	for i := range n + 1 {
		if i < 2 || i > n-2 || i%step == 0 {
			all = append(all, i)
		}
	}
	return all
}

// opensWith opens a log that must have at least the told records.
func opensWith(t *testing.T, dir string, told int, when string) {
	t.Helper()
	c := small(t)
	l, err := Open(dir, c)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	n := l.Size()
	if n < int64(told) || n > int64(told)+1 {
		t.Fatalf("%s: %d records, told were %d", when, n, told)
	}
	if got, err := l.Append(context.Background(), login(int(n))); err != nil || got != n {
		t.Fatalf("%s: the next is %d, %v", when, got, err)
	}
	closed(t, l)
	if rep, err := verified(t, dir); err != nil || rep.Signed != n+1 {
		t.Fatalf("%s: %+v, %v", when, rep, err)
	}
	for i, line := range linesOf(t, dir)[:n] {
		if r, err := ParseRecord([]byte(line)); err != nil || r.Actor != login(i).Actor {
			t.Fatalf("%s: record %d is %s", when, i, line)
		}
	}
}

// What a loss of power leaves of a write that was not synced: pages that were
// never written, or one of two.
func TestALogOpensWithPagesThatWereNeverWritten(t *testing.T) {
	zeros := bytes.Repeat([]byte{0}, 700)
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"zeros at the end of the records":     func(t *testing.T, dir string) { add(t, dir, segmentName(0), zeros) },
		"zeros and the end of a line":         func(t *testing.T, dir string) { add(t, dir, segmentName(0), append(zeros, "\"}\n"...)) },
		"zeros at the end of the hashes":      func(t *testing.T, dir string) { add(t, dir, hashesName, zeros) },
		"zeros at the end of the checkpoints": func(t *testing.T, dir string) { add(t, dir, checkpointsName, zeros) },
		"half a checkpoint and an end":        func(t *testing.T, dir string) { add(t, dir, checkpointsName, []byte("\x00\x00\"\n\x00\"\n")) },
		"no hashes":                           func(t *testing.T, dir string) { remove(t, dir, hashesName) },
		"no checkpoints":                      func(t *testing.T, dir string) { remove(t, dir, checkpointsName) },
		"zeros for the first hashes": func(t *testing.T, dir string) {
			h, err := os.ReadFile(filepath.Join(dir, hashesName))
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, hashesName), append(zeros[:160], h[160:]...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := logOf(t, 5, 2)
			spoil(t, dir)
			opensWith(t, dir, 5, name)
		})
	}
}

// A record that was acknowledged is never taken for a torn end.
func TestALogDoesNotCutWhatWasWhole(t *testing.T) {
	for name, spoil := range map[string]func(lines []string) []string{
		"signed": func(lines []string) []string { return append(lines[:4], "{}") },
		"whole records behind it": func(lines []string) []string {
			lines[5] = strings.Replace(lines[5], "login", "nigol", 1)
			return lines
		},
		"one is missing": func(lines []string) []string { return append(lines[:5], lines[6:]...) },
		"one twice":      func(lines []string) []string { return append(lines, lines[6]) },
	} {
		t.Run(name, func(t *testing.T) {
			c := small(t)
			c.SegmentSize = 1 << 20
			l := open(t, t.TempDir(), c)
			fill(t, l, 0, 5)
			closed(t, l)
			note, err := os.ReadFile(l.path(checkpointsName))
			if err != nil {
				t.Fatal(err)
			}
			l = open(t, l.dir, c)
			fill(t, l, 5, 7)
			closed(t, l)
			writeFile(t, l.path(checkpointsName), note) // the newest was not on disk yet
			edit(t, l.dir, spoil)
			before := linesOf(t, l.dir)
			_, err = Open(l.dir, c)
			if err == nil || !errors.Is(err, ErrChanged) && !errors.Is(err, ErrMissing) && !errors.Is(err, ErrOrder) {
				t.Errorf("it opens: %v", err)
			}
			if after := linesOf(t, l.dir); len(after) != len(before) {
				t.Errorf("%d of %d lines are left", len(after), len(before))
			}
		})
	}
}

// Opening finds what was changed in files that it does not read through, as far
// as the newest checkpoint tells, and mends the hashes that
// it needs.
func TestOpeningComparesWithTheCheckpoint(t *testing.T) {
	base := logOf(t, 30, 12)
	firsts, err := listSegments(base)
	if err != nil {
		t.Fatal(err)
	}
	dir := copyDir(t, base)
	raw := []byte(read(t, dir, hashesName))
	clear(raw[:hashBytes(firsts[len(firsts)-1])]) // those of the files before the last
	writeFile(t, filepath.Join(dir, hashesName), raw)
	closed(t, open(t, dir, small(t)))
	sound(t, dir, 30)
	dir = copyDir(t, base)
	flip(t, dir, hashesName, 100) // of one record: opening does not look there
	if _, err := verified(t, dir); !errors.Is(err, ErrHashes) {
		t.Errorf("a hash is changed: %v", err)
	}
	remove(t, dir, hashesName) // as it is advised
	closed(t, open(t, dir, small(t)))
	sound(t, dir, 30)
	for name, c := range map[string]struct {
		how    forge
		change func(lines []string) []string
		want   error
	}{
		"the end is missing": {plain, func(lines []string) []string { return lines[:28] }, ErrMissing},
		"the last file is changed": {fingerprints, func(lines []string) []string {
			lines[29] = strings.Replace(lines[29], "ticket", "stolen", 1)
			return lines
		}, ErrChanged},
		"all is forged": {hashes, func(lines []string) []string {
			lines[2] = strings.Replace(lines[2], "ticket", "stolen", 1)
			return lines
		}, ErrChanged},
	} {
		dir := copyDir(t, base)
		tamper(t, dir, c.how, c.change)
		if _, err := Open(dir, small(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func add(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if name == segmentName(0) { // the last one
		firsts, err := listSegments(dir)
		if err != nil {
			t.Fatal(err)
		}
		name = segmentName(firsts[len(firsts)-1])
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

const crashDirVar = "PARLEY_AUDIT_CRASH_DIR"

// TestMain turns the test program into one that appends for ever when a variable
// names a directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirVar); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

// appendForEver prints the index and the actor of each acknowledged record of
// eight callers.
func appendForEver(dir string) {
	t := &testing.T{}
	l, err := Open(dir, small(t))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for c := range 8 {
		go func() {
			for i := 0; ; i++ {
				r := login(c*100_000 + i)
				n, err := l.Append(context.Background(), r)
				if err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				fmt.Println(n, r.Actor, ".")
			}
		}()
	}
	select {}
}

// A process that is killed loses nothing that it said was there.
func TestKilledWhileItAppends(t *testing.T) {
	dir := t.TempDir()
	told := map[int64]string{}
	for round := range 5 {
		for n, actor := range killed(t, dir, 50+37*round) {
			told[n] = actor
		}
		l := open(t, dir, small(t))
		closed(t, l)
		lines := linesOf(t, dir)
		sound(t, dir, int64(len(lines)))
		for n, actor := range told {
			if n >= int64(len(lines)) || !strings.Contains(lines[n], `"actor":"`+actor+`"`) {
				t.Fatalf("round %d: record %d of %s, which was told, is not there", round, n, actor)
			}
		}
	}
	if len(told) < 5*50 {
		t.Errorf("only %d records were told", len(told))
	}
}

// killed runs a process that appends and kills it when it has told of some.
func killed(t *testing.T, dir string, after int) map[int64]string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirVar+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := map[int64]string{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		part := strings.Fields(lines.Text())
		if len(part) != 3 { // cut off, or a failure
			if part[len(part)-1] != "." && cmd.ProcessState == nil && len(told) < after {
				t.Errorf("it said %q", lines.Text())
			}
			continue
		}
		n, err := strconv.ParseInt(part[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		told[n] = part[1]
		if len(told) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	return told
}
