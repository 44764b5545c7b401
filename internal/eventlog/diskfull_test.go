package eventlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/fault"
)

// A real disk of 64 MB: a node's store opens on it, is filled to its reserve,
// refuses with a code, is read, closed, opened again and read, and takes events
// again when there is space.
func TestSmallDiskIsFilled(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	for _, light := range []bool{false, true} {
		dir := t.TempDir()
		mount(t, "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir)
		s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: light})
		must(t, err)
		ballast := dir + "/ballast"
		must(t, os.WriteFile(ballast, make([]byte, 8<<20), 0o600))
		a := newAuthor(1)
		stored := 0
		for stored < 1_000_000 {
			_, err = s.Append(t.Context(), a.seal(t, room, texts(256, 200)...), stored%1024 == 0)
			if err != nil {
				break
			}
			stored += 256
		}
		if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "MB are free") {
			t.Fatalf("after %d events: %v", stored, err)
		}
		t.Logf("light %v: %d events until the disk was full", light, stored)
		if n := len(collect(t, s.History(t.Context(), Query{Log: room}))); n != stored {
			t.Errorf("%d of %d events can be read from a full disk", n, stored)
		}
		checkedClose(t, s)
		s, err = Open(t.Context(), Options{Dir: dir, Key: testKey, Light: light})
		must(t, err)
		if n := count(s, room); n != stored {
			t.Errorf("%d of %d events after opening again", n, stored)
		}
		must(t, os.Remove(ballast))
		mustAppend(t, s, newAuthor(2).seal(t, room, texts(1, 20)...))
		checkedClose(t, s)

		mustRefuseFull(t)
	}
}

// On a real ext4 of 96 MB the store is filled until it refuses, and then others
// take the last byte, which is when memory-mapped files kill: the process goes on
// reading, closes with a code, and is refused with one when it opens the store
// again. With some space back everything that was acknowledged is there.
func TestFullExt4(t *testing.T) {
	if testing.Short() {
		t.Skip("a disk is filled")
	}
	dir := t.TempDir()
	image := filepath.Join(t.TempDir(), "ext4")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 96<<20))
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("group root: no mkfs.ext4 (package e2fsprogs)")
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	mount(t, "-o", "loop", image, dir)
	store := filepath.Join(dir, "store")
	full := startFull(t, store)
	acked := full.until(t, "full")
	fillUp(t, filepath.Join(dir, "others"))
	full.goOn(t)
	if rest := full.until(t, "end"); len(rest) != 1 || rest[0] != "0 P3005 P3005" {
		t.Errorf("the child says %q", rest)
	}
	full.ends(t)
	again := startFull(t, store)
	if rest := again.until(t, "end"); len(rest) != 1 || !strings.Contains(rest[0], "P3005") {
		t.Errorf("opened again, the child says %q", rest)
	}
	again.ends(t)
	must(t, os.Remove(filepath.Join(dir, "others")))
	s := open(t, store)
	for _, id := range acked {
		id, err := event.ParseID(id)
		must(t, err)
		if ok, err := s.Has(id); !ok || err != nil {
			t.Fatalf("acknowledged event %v: %v, %v", id, ok, err)
		}
	}
	t.Logf("%d batches until the disk was full", len(acked))
}

// fillUp writes to a file until there is no space at all.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	_ = f.Sync() // what did not fit is no error here
}

const fullDirVar = "PARLEY_EVENTLOG_FULL_DIR"

// playFull appends durably until the disk is full, waits for a line, reads, tries
// once more and closes. It tells ids, and the codes of errors.
func playFull(dir string) {
	code := func(err error) string {
		if f, ok := fault.As(err); ok {
			return f.Code
		}
		return fmt.Sprint(err)
	}
	s, err := Open(context.Background(), Options{Dir: dir, Key: testKey, Light: true})
	if err != nil {
		fmt.Println("open", code(err))
		fmt.Println("end")
		os.Exit(0)
	}
	a, n := newAuthor(1), 0
	for err == nil {
		b := a.seal(crashTB{}, room, texts(256, 200)...)
		if _, err = s.Append(context.Background(), b, true); err == nil {
			fmt.Println(b.Events[255].ID)
			n += 256
		}
	}
	fmt.Println("full")
	_, _ = fmt.Scanln()
	for _, err := range s.History(context.Background(), Query{Log: room}) {
		if err != nil {
			fmt.Println("reading", code(err))
		}
		n--
	}
	_, err = s.Append(context.Background(), a.seal(crashTB{}, room, texts(1, 20)...), true)
	fmt.Println(n, code(err), code(s.Close()))
	fmt.Println("end")
	os.Exit(0)
}

// fullChild is a child that plays playFull.
type fullChild struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	errs  strings.Builder
}

func startFull(t *testing.T, dir string) *fullChild {
	t.Helper()
	c := &fullChild{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	c.cmd.Env = append(os.Environ(), fullDirVar+"="+dir)
	c.cmd.Stderr = &c.errs
	var err error
	c.in, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	c.lines = bufio.NewScanner(out)
	must(t, c.cmd.Start())
	return c
}

func (c *fullChild) until(t *testing.T, end string) (lines []string) {
	t.Helper()
	for c.lines.Scan() {
		if c.lines.Text() == end {
			return lines
		}
		lines = append(lines, c.lines.Text())
	}
	t.Fatalf("the child ended by itself: %v %.2000s", c.cmd.Wait(), c.errs.String())
	return nil
}

func (c *fullChild) goOn(t *testing.T) {
	t.Helper()
	_, err := c.in.Write([]byte("\n"))
	must(t, err)
}

func (c *fullChild) ends(t *testing.T) {
	t.Helper()
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the child ended with %v: %.2000s", err, c.errs.String())
	}
}

// mustRefuseFull tries a new store on a disk that is too small for one.
func mustRefuseFull(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=16m", "tmpfs", dir)
	mustRefuse(t, Options{Dir: dir, Key: testKey}, ErrDiskFull)
}
