package codes

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/disk"
)

// errCrash is what a rename says that never came.
var errCrash = errors.New("the machine stopped")

// The machine stops between the write and the rename: nobody was given
// anything, and nothing has changed.
func TestCrashBeforeTheRename(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	text := one(t, s)
	s.file.rename = func(from, _ string) error {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		left := filepath.Join(dir, codesFile+".tmp-0123456789abcdef") // as if nothing had cleaned up
		if err := os.WriteFile(left, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return errCrash
	}
	if err := s.Redeem(text, alice, start); !errors.Is(err, ErrFile) || !errors.Is(err, errCrash) {
		t.Fatalf("%v", err)
	}
	if _, err := s.New(1, day, start); !errors.Is(err, ErrFile) {
		t.Errorf("%v", err)
	}
	// This process goes on: the code is still to be had, by anybody.
	s.file.rename = os.Rename
	again := open(t, dir)
	if k := again.Known(); len(k) != 1 || k[0].UsedBy != "" {
		t.Errorf("after the crash: %v", k)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left in the directory: %v, %v", names, err)
	}
	if err := s.Redeem(text, bob, start); err != nil {
		t.Error(err)
	}
}

// The disk says no after the rename: the peer was given nothing, but may have
// the code after a restart, and nobody else.
func TestFailureAfterTheRename(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	text := one(t, s)
	s.file.rename = func(from, to string) error { return errors.Join(os.Rename(from, to), errCrash) }
	if err := s.Redeem(text, alice, start); !errors.Is(err, ErrFile) {
		t.Fatal(err)
	}
	s = open(t, dir)
	if err := s.Redeem(text, bob, start); !errors.Is(err, ErrUsed) {
		t.Errorf("another: %v", err)
	}
	if err := s.Redeem(text, alice, start); err != nil {
		t.Errorf("the same: %v", err)
	}
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Redeem(one(t, s), alice, start); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, codesFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hash := `"hash":"` + fmt.Sprintf("%064d", 1) + `","expires":"2026-03-01T08:00:00Z"`
	for _, bad := range []string{
		"", "{}", string(good[:len(good)/2]), string(good) + "{}", `{"version":2,"codes":[]}`, `{"version":1,"codes":[],"x":1}`,
		`{"version":1,"codes":[{"hash":"00","expires":"2026-03-01T08:00:00Z"}]}`,
		`{"version":1,"codes":[{` + hash + `},{` + hash + `}]}`,
		`{"version":1,"codes":[{` + hash + `,"used_by":"a"}]}`,
		`{"version":1,"codes":[{` + hash + `,"used":"2026-03-01T08:00:00Z"}]}`,
		`{"version":1,"codes":[{` + hash + `,"used_by":"a b","used":"2026-03-01T08:00:00Z"}]}`,
	} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, start); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %v", bad, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != bad {
			t.Errorf("%q was replaced by %q, %v", bad, now, err)
		}
	}
	if !disk.HasModes {
		return
	}
	if err := errors.Join(os.WriteFile(path, good, 0o600), os.Chmod(path, 0o620)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, start); !errors.Is(err, ErrFile) {
		t.Errorf("writable by others: %v", err)
	}
}

func TestNoDirectory(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "none"), start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.New(1, day, start); !errors.Is(err, ErrFile) {
		t.Error(err)
	}
}

// victimDir tells the test binary to redeem codes until it is killed.
const victimDir = "PARLEY_TEST_CODES_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim redeems each code it reads for a peer of its own and says so.
func victim(dir string) error {
	s, err := Open(dir, start)
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for i := 0; in.Scan(); i++ {
		if err := s.Redeem(in.Text(), fmt.Sprint("peer-", i), start); err != nil {
			return err
		}
		fmt.Println(i)
	}
	return in.Err()
}

// kill -9 after some codes, in whatever phase of the next: each code that was
// acknowledged is its peer's and nobody else's.
func TestKill(t *testing.T) {
	for round := range 10 {
		dir := t.TempDir()
		fresh, err := open(t, dir).New(200, day, start)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged := redeemUntilKilled(t, dir, fresh, 3+7*round)
		s := open(t, dir)
		for i, c := range fresh {
			err := s.Redeem(c.Text(), "thief", start)
			if i < acknowledged && !errors.Is(err, ErrUsed) {
				t.Errorf("code %d of %d acknowledged ones: another peer was told %v", i, acknowledged, err)
			}
			if i > acknowledged && err != nil { // the next one may be used or not
				t.Errorf("code %d, never asked for: %v", i, err)
			}
			if i < acknowledged && s.Redeem(c.Text(), fmt.Sprint("peer-", i), start) != nil {
				t.Errorf("code %d: its peer cannot redeem it again", i)
			}
			if i > acknowledged+2 {
				break
			}
		}
	}
}

// redeemUntilKilled kills a process that redeems when it has acknowledged n
// codes, and returns how many it has in all.
func redeemUntilKilled(t *testing.T, dir string, fresh []Code, n int) (acknowledged int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	for _, c := range fresh {
		if _, err := fmt.Fprintln(in, c.Text()); err != nil {
			t.Fatal(err)
		}
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if acknowledged++; acknowledged == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if acknowledged < n || acknowledged == len(fresh) {
		t.Fatalf("%d were acknowledged: the process was not killed at work", acknowledged)
	}
	return acknowledged
}

func BenchmarkRedeem(b *testing.B) {
	for _, count := range []int{100, 1000, MaxCodes} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			s, err := Open(b.TempDir(), start)
			if err != nil {
				b.Fatal(err)
			}
			fresh, err := s.New(count, day, start)
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				if i == count {
					b.Fatal("no code is left")
				}
				if err := s.Redeem(fresh[i].Text(), fmt.Sprint("peer-", i), start.Add(time.Duration(i))); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkRefuse(b *testing.B) {
	s, err := Open(b.TempDir(), start)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.New(1000, day, start); err != nil {
		b.Fatal(err)
	}
	text := Code{[16]byte{1}}.Text()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Redeem(text, alice, start); !errors.Is(err, ErrWrong) {
			b.Fatal(err)
		}
	}
}
