package audit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// linesOf reads all lines of a log.
func linesOf(t testing.TB, dir string) (lines []string) {
	t.Helper()
	r, err := NewReader(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		line, err := r.Line()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
}

// Many callers at once: each record is there once, under the index that its
// caller was told, and the log goes on where it ended when it is opened again.
func TestRecordsStandWhereCallersWereTold(t *testing.T) {
	dir, told := t.TempDir(), sync.Map{}
	const callers, each, rounds = 16, 20, 2
	for round := range rounds {
		l := open(t, dir, small(t))
		var all sync.WaitGroup
		for c := range callers {
			all.Go(func() {
				for i := range each {
					r := login(round*1_000_000 + c*1000 + i)
					n, err := l.Append(t.Context(), r)
					if _, twice := told.LoadOrStore(n, r.Actor); twice || err != nil {
						t.Errorf("index %d is given twice: %t, %v", n, twice, err)
					}
				}
			})
		}
		all.Wait()
		closed(t, l)
	}
	lines := linesOf(t, dir)
	if len(lines) != rounds*callers*each {
		t.Fatalf("%d records", len(lines))
	}
	for n, line := range lines {
		r, err := ParseRecord([]byte(line))
		if actor, _ := told.Load(int64(n)); err != nil || r.Actor != actor || r.Index != int64(n) {
			t.Fatalf("record %d is %s, %v, told was %v", n, line, err, actor)
		}
	}
	sound(t, dir, rounds*callers*each)
	if firsts, err := listSegments(dir); err != nil || len(firsts) < 10 {
		t.Errorf("files begin at %v, %v", firsts, err)
	}
	if n, err := Size(dir); err != nil || n != rounds*callers*each {
		t.Errorf("size %d, %v", n, err)
	}
}

// held is a log whose writer waits, until it is let go, before it writes records.
func held(t *testing.T, c Config) (l *Log, waits <-chan int, letGo chan<- bool) {
	w, g := make(chan int), make(chan bool)
	c.wrote = func(name string, _ int64, b []byte) {
		if len(b) > 0 && name == segmentName(0) {
			w <- countLines(b)
			<-g
		}
	}
	return open(t, t.TempDir(), c), w, g
}

func countLines(b []byte) (n int) {
	for _, c := range b {
		if c == '\n' {
			n++
		}
	}
	return n
}

// Callers that come while the disk is busy share the next write and sync.
func TestCallersShareOneSync(t *testing.T) {
	c := small(t)
	c.SegmentSize = 1 << 20
	l, waits, letGo := held(t, c)
	var all sync.WaitGroup
	add := func(n int) {
		all.Go(func() {
			if _, err := l.Append(t.Context(), login(n)); err != nil {
				t.Error(err)
			}
		})
	}
	add(0)
	if n := <-waits; n != 1 {
		t.Fatalf("%d records in the first write", n)
	}
	for n := range 63 {
		add(n + 1)
	}
	for len(l.queue) < 63 {
		runtime.Gosched()
	}
	letGo <- true
	if n := <-waits; n != 63 {
		t.Errorf("%d records in the second write", n)
	}
	letGo <- true
	all.Wait()
}

// Nothing is dropped when the queue is full: the caller waits, as long as his
// context lets him.
func TestAFullQueueMakesCallersWait(t *testing.T) {
	c := small(t)
	c.SegmentSize = 1 << 20
	l, waits, letGo := held(t, c)
	for n := range maxQueue + 1 { // one is in the writer's hands
		if err := l.Write(t.Context(), login(n)); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			<-waits
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := l.Write(ctx, login(0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a full queue takes more: %v", err)
	}
	went := make(chan error)
	go func() { went <- l.Write(t.Context(), login(maxQueue+1)) }()
	go func() {
		letGo <- true
		for range waits {
			letGo <- true
		}
	}()
	if err := <-went; err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	lines := linesOf(t, l.dir)
	for n, line := range lines {
		if r, err := ParseRecord([]byte(line)); err != nil || r.Actor != login(n).Actor {
			t.Fatalf("record %d is %s", n, line)
		}
	}
	if len(lines) != maxQueue+2 {
		t.Errorf("%d records of %d", len(lines), maxQueue+2)
	}
}

// A checkpoint is signed at once when it was quiet, once a second while records
// come, and at the end.
func TestCheckpointsComeOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes atomic.Int64
		dir := t.TempDir()
		c := small(t)
		c.wrote = func(name string, _ int64, _ []byte) {
			if name == checkpointsName {
				notes.Add(1)
			}
		}
		l := open(t, dir, c)
		expect := func(when string, want, size int64) {
			t.Helper()
			synctest.Wait()
			if c, ok := l.Checkpoint(); notes.Load() != want || ok != (want > 0) || c.Size != size {
				t.Errorf("%s: %d checkpoints, want %d; the newest is of %d records, want %d", when, notes.Load(), want, c.Size, size)
			}
		}
		expect("empty", 0, 0)
		fill(t, l, 0, 1)
		expect("after the first record", 1, 1)
		for n := 1; n < 50; n++ {
			time.Sleep(110 * time.Millisecond)
			fill(t, l, n, n+1)
		}
		expect("after 5.4 s of records", 6, 46)
		time.Sleep(10 * time.Second)
		expect("after silence", 7, 50)
		fill(t, l, 50, 52)
		expect("after two more", 8, 51)
		closed(t, l)
		expect("at the end", 9, 52)
		sound(t, dir, 52)
		if rep, err := verified(t, dir); err != nil || rep.Checkpoints != 9 || rep.Signed != 52 {
			t.Errorf("%+v, %v", rep, err)
		}
	})
}

func TestClosedLogs(t *testing.T) {
	l := open(t, t.TempDir(), small(t))
	fill(t, l, 0, 3)
	if _, err := Open(l.dir, small(t)); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	closed(t, l)
	closed(t, l)
	if _, err := l.Append(t.Context(), login(3)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append: %v", err)
	}
	if err := l.Write(t.Context(), login(3)); !errors.Is(err, ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if _, err := l.Consistency(1, 3); !errors.Is(err, ErrClosed) {
		t.Errorf("Consistency: %v", err)
	}
	if _, err := l.Append(t.Context(), Record{Op: "no op", Time: at}); !errors.Is(err, ErrRecord) {
		t.Errorf("a bad record: %v", err)
	}
	c := small(t)
	c.Signer, _ = registrar(t, 2)
	if _, err := Open(l.dir, c); !errors.Is(err, ErrOwner) {
		t.Errorf("opened by another registrar: %v", err)
	}
}

// A disk that fails is told to those who wait, and what was acknowledged stays.
func TestAFailingDiskIsTold(t *testing.T) {
	l := open(t, t.TempDir(), small(t))
	fill(t, l, 0, 2)
	l.writer.segment.Close() // as good as a disk that is gone
	if _, err := l.Append(t.Context(), login(2)); !errors.Is(err, ErrFailed) {
		t.Errorf("Append: %v", err)
	}
	if err := l.Write(t.Context(), login(2)); !errors.Is(err, ErrFailed) {
		t.Errorf("Write afterwards: %v", err)
	}
	if err := l.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close: %v", err)
	}
	l = open(t, l.dir, small(t))
	fill(t, l, 2, 4)
	closed(t, l)
	sound(t, l.dir, 4)
}

func TestConsistency(t *testing.T) {
	l := open(t, t.TempDir(), small(t))
	fill(t, l, 0, 40)
	root := func(n int64) tlog.Hash {
		h, err := tlog.TreeHash(n, l.hashes)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for from := int64(1); from <= 40; from++ {
		for to := from; to <= 40; to++ {
			p, err := l.Consistency(from, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckTree(p, to, root(to), from, root(from)); err != nil {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
		}
	}
	for _, c := range [][2]int64{{-1, 3}, {4, 3}, {1, 41}} {
		if _, err := l.Consistency(c[0], c[1]); !errors.Is(err, ErrNoIndex) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// A reader follows a log that is written, over the ends of files, and may begin
// anywhere.
func TestReadersFollow(t *testing.T) {
	dir := logOf(t, 100)
	for from := range 101 {
		r, err := NewReader(dir, int64(from))
		if err != nil {
			t.Fatal(err)
		}
		line, err := r.Line()
		if n, ok := indexOf(line); from < 100 && (err != nil || !ok || n != int64(from)) || from == 100 && !errors.Is(err, io.EOF) {
			t.Fatalf("from %d: %s, %v", from, line, err)
		}
		r.Close()
	}
	r, err := NewReader(dir, 90)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l := open(t, dir, small(t))
	next := 90
	for end := 100; end <= 160; end += 6 {
		fill(t, l, max(end-6, 100), end)
		for ; next < end; next++ {
			line, err := r.Line()
			if n, _ := indexOf(line); err != nil || n != int64(next) {
				t.Fatalf("record %d: %s, %v", next, line, err)
			}
		}
		if line, err := r.Line(); !errors.Is(err, io.EOF) {
			t.Fatalf("behind the end: %s, %v", line, err)
		}
	}
}

// Half a line, of a write under way, is read when it is whole.
func TestReadersWaitForTheEndOfALine(t *testing.T) {
	l := open(t, t.TempDir(), small(t))
	fill(t, l, 0, 2)
	r, err := NewReader(l.dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := l.writer.segment.WriteAt([]byte(`{"n":2`), l.writer.at); err != nil {
		t.Fatal(err)
	}
	if line, err := r.Line(); !errors.Is(err, io.EOF) {
		t.Fatalf("half a line is read: %s, %v", line, err)
	}
	fill(t, l, 2, 3)
	line, err := r.Line()
	if n, ok := indexOf(line); err != nil || !ok || n != 2 || r.first != 0 {
		t.Fatalf("the whole line: %s, %v", line, err)
	}
}

// A large file is halved until the record is near, also while a line is written.
func TestRecordsAreFoundInLargeFiles(t *testing.T) {
	c := small(t)
	c.SegmentSize = 0
	l := open(t, t.TempDir(), c)
	for n := range 300 {
		r := login(n)
		r.Detail = strings.Repeat(`"`, n*37%1000)
		if err := l.Write(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, l)
	f, err := os.OpenFile(l.path(segmentName(0)), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := make([]int64, 301) // where each begins
	for n, line := range linesOf(t, l.dir) {
		at[n+1] = at[n] + int64(len(line)) + 1
		if got, err := seekRecord(f, int64(n)); err != nil || got != at[n] {
			t.Fatalf("record %d is at %d, %v, want %d", n, got, err, at[n])
		}
	}
	torn := []byte(`{"n":30` + strings.Repeat("0", 4000))
	for n := int64(300); n > 20; n-- { // so that the halves fall everywhere
		if err := f.Truncate(at[n]); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(torn, at[n]); err != nil {
			t.Fatal(err)
		}
		if got, err := seekRecord(f, n); err != nil || got != at[n] {
			t.Fatalf("the end behind %d records is at %d, %v, want %d", n, got, err, at[n])
		}
	}
}

func TestNoLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := verified(t, dir); !errors.Is(err, ErrNoLog) {
		t.Errorf("Verify: %v", err)
	}
	if _, err := Prove(dir, 0); !errors.Is(err, ErrNoLog) {
		t.Errorf("Prove: %v", err)
	}
	if _, err := NewReader(dir, 0); !errors.Is(err, ErrNoLog) {
		t.Errorf("NewReader: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made it: %v", err)
	}
	l := open(t, dir, small(t))
	if rep, err := verified(t, dir); err != nil || rep.Records != 0 {
		t.Errorf("an empty log: %+v, %v", rep, err)
	}
	closed(t, l)
	closed(t, open(t, dir, small(t)))
}
