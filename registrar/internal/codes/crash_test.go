package codes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/parley-chat/parley/internal/disk"
)

// errCrash is what a rename or a sync says that never came.
var errCrash = errors.New("the machine stopped")

// The machine stops between the write and the rename of codes.json: nobody was
// given anything, and nothing has changed.
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
	if _, err := s.New(1, day, start); !errors.Is(err, ErrFile) || !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if err := s.Redeem(text, alice, start); !errors.Is(err, ErrFile) {
		t.Errorf("with files of which nothing is known: %v", err)
	}
	again := open(t, dir)
	if k := again.Known(); len(k) != 1 || k[0].UsedBy != "" {
		t.Errorf("after the crash: %v", k)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("left in the directory: %v, %v", names, err)
	}
	// This process goes on when it can: the code is still to be had, by anybody.
	s.file.rename = os.Rename
	if err := s.Redeem(text, bob, start); err != nil {
		t.Error(err)
	}
	if err := open(t, dir).Redeem(text, alice, start); !errors.Is(err, ErrUsed) {
		t.Errorf("after a restart: %v", err)
	}
}

// The disk says no after the rename, before the new journal: what was redeemed
// before is in codes.json, and the former journal is told apart from its own.
func TestCrashBetweenTheFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	used, free := one(t, s), one(t, s)
	if err := s.Redeem(used, alice, start); err != nil {
		t.Fatal(err)
	}
	s.file.rename = func(from, to string) error { return errors.Join(os.Rename(from, to), errCrash) }
	if _, err := s.New(1, day, start); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	for range 2 { // the second time with files that were written again
		s = open(t, dir)
		if err := s.Redeem(used, bob, start); !errors.Is(err, ErrUsed) {
			t.Errorf("another: %v", err)
		}
		if err := errors.Join(s.Redeem(used, alice, start), s.Redeem(free, bob, start)); err != nil {
			t.Error(err)
		}
	}
}

// The journal cannot be written: nobody has the code, and it is to be had when the
// disk has room again. After a sync that failed another journal is begun.
func TestTheJournalFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	first, second := one(t, s), one(t, s)
	whole := s.file.journal.f
	unwritable, err := os.Open(s.file.journalPath())
	if err != nil {
		t.Fatal(err)
	}
	s.file.journal.f = unwritable
	if err := s.Redeem(first, alice, start); !errors.Is(err, ErrFile) {
		t.Errorf("a journal that is not to be written: %v", err)
	}
	if err := errors.Join(unwritable.Close(), whole.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	s.file.journal.sync = func() error { return errCrash }
	if err := s.Redeem(first, alice, start); !errors.Is(err, ErrFile) || !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	// At most its own peer has it, if the machine stops now.
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	chmod(t, crashed)
	if err := open(t, crashed).Redeem(first, alice, start); err != nil {
		t.Errorf("its peer, after a restart: %v", err)
	}
	if err := errors.Join(s.Redeem(first, bob, start), s.Redeem(second, alice, start)); err != nil {
		t.Error(err)
	}
	s = open(t, dir)
	if err := errors.Join(s.Redeem(first, bob, start), s.Redeem(second, alice, start)); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func chmod(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{codesFile, journalFile} {
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever is left of the last line, it is cut, what was redeemed before stays, and
// the journal goes on.
func TestATornTailIsCut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	used, last := one(t, s), one(t, s)
	if err := s.Redeem(used, alice, start); err != nil {
		t.Fatal(err)
	}
	whole := readJournal(t, dir)
	if err := s.Redeem(last, bob, start); err != nil {
		t.Fatal(err)
	}
	all := readJournal(t, dir)
	step := 1
	if testing.Short() {
		step = 7
	}
	for n := len(whole); n < len(all); n += step {
		for what, torn := range map[string][]byte{
			"the beginning":         all[:n],
			"a page that is absent": slices.Concat(whole, make([]byte, n-len(whole)+1), all[n+1:]),
			"nothing but its size":  slices.Concat(whole, make([]byte, n-len(whole))),
		} {
			if err := os.WriteFile(filepath.Join(dir, journalFile), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, start)
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", what, n-len(whole), err)
			}
			if got := readJournal(t, dir); !bytes.Equal(got, whole) {
				t.Fatalf("%s, %d bytes: %q is left", what, n-len(whole), got)
			}
			if err := s.Redeem(used, bob, start); !errors.Is(err, ErrUsed) {
				t.Fatalf("%s, %d bytes: the code of before: %v", what, n-len(whole), err)
			}
			if err := errors.Join(s.Redeem(last, alice, start), s.Close()); err != nil {
				t.Fatalf("%s, %d bytes: %v", what, n-len(whole), err)
			}
			if s = open(t, dir); !errors.Is(s.Redeem(last, bob, start), ErrUsed) {
				t.Fatalf("%s, %d bytes: what came after is not kept", what, n-len(whole))
			}
		}
	}
}

func readJournal(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Any byte that is another one in a line that was whole is damage, and so are
// lines that are not there or there twice, and files that do not belong together.
func TestADamagedJournal(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	texts := []string{one(t, s), one(t, s), one(t, s)}
	before := readJournal(t, dir)
	for _, text := range texts {
		if err := s.Redeem(text, alice, start); err != nil {
			t.Fatal(err)
		}
	}
	good := readJournal(t, dir)
	damaged := map[string][]byte{
		"empty": {}, "no first line": good[len(before):], "of another generation": append([]byte(firstLine(99)), good[len(before):]...),
		"another version": append(lineOf([]byte("parley codes journal 2 3")), good[len(before):]...),
		"twice":           slices.Concat(good, good[len(before):]),
	}
	for i := range len(good) - 1 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		damaged[fmt.Sprint("byte ", i)] = bad
	}
	other := open(t, t.TempDir())
	if err := other.Redeem(one(t, other), alice, start); err != nil {
		t.Fatal(err)
	}
	_, line, _ := bytes.Cut(readJournal(t, filepath.Dir(other.file.path)), []byte("\n"))
	damaged["a code that is not there"] = append(bytes.Clone(good), line...)
	for what, bad := range damaged {
		if err := os.WriteFile(filepath.Join(dir, journalFile), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, start); !errors.Is(err, ErrJournal) {
			t.Errorf("%s: %v", what, err)
		}
		if now := readJournal(t, dir); !bytes.Equal(now, bad) {
			t.Errorf("%s: it was changed", what)
		}
	}
	if err := os.Remove(filepath.Join(dir, journalFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, start); !errors.Is(err, ErrJournal) {
		t.Errorf("none: %v", err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, journalFile), good, 0o600), os.Remove(filepath.Join(dir, codesFile))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, start); !errors.Is(err, ErrJournal) {
		t.Errorf("no codes.json: %v", err)
	}
	if disk.HasModes {
		if err := os.Chmod(filepath.Join(dir, journalFile), 0o604); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, start); !errors.Is(err, ErrFile) {
			t.Errorf("readable by others: %v", err)
		}
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
		"", "{}", string(good[:len(good)/2]), string(good) + "{}", `{"version":2,"codes":[]}`, `{"version":1,"journal":1,"codes":[]}`, `{"version":3,"journal":1,"codes":[]}`, `{"version":1,"codes":[],"x":1}`,
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

// victim redeems the codes it reads, several at once, each for a peer of its own,
// and says which it has; now and then it makes another code.
func victim(dir string) error {
	s, err := Open(dir, start)
	if err != nil {
		return err
	}
	type job struct {
		n    int
		text string
	}
	jobs := make(chan job)
	errs := make(chan error, 8)
	for range 8 {
		go func() {
			for j := range jobs {
				if err := s.Redeem(j.text, fmt.Sprint("peer-", j.n), start); err != nil {
					errs <- err
					return
				}
				fmt.Println(j.n)
			}
		}()
	}
	in := bufio.NewScanner(os.Stdin)
	for n := 0; in.Scan(); n++ {
		select {
		case jobs <- job{n, in.Text()}:
		case err := <-errs:
			return err
		}
		if n%10 == 9 {
			if _, err := s.New(1, day, start); err != nil {
				return err
			}
		}
	}
	return errors.Join(in.Err(), errors.New("nothing killed it"))
}

// kill -9 after some codes, in whatever phase of the next: each code that was
// acknowledged is its peer's and nobody else's, and of the others those at most
// that were under way are gone, each to its own peer.
func TestKill(t *testing.T) {
	for round := range 10 {
		dir := t.TempDir()
		fresh, err := open(t, dir).New(400, day, start)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged := redeemUntilKilled(t, dir, fresh, 3+13*round)
		s, unknown := open(t, dir), 0
		for i, c := range fresh {
			err := s.Redeem(c.Text(), "thief", start)
			switch {
			case acknowledged[i] && !errors.Is(err, ErrUsed):
				t.Errorf("code %d of %d acknowledged ones: another peer was told %v", i, len(acknowledged), err)
			case errors.Is(err, ErrUsed):
				if !acknowledged[i] {
					unknown++
				}
				if err := s.Redeem(c.Text(), fmt.Sprint("peer-", i), start); err != nil {
					t.Errorf("code %d: its peer cannot redeem it again: %v", i, err)
				}
			case err != nil:
				t.Errorf("code %d: %v", i, err)
			}
		}
		if unknown > 8 {
			t.Errorf("%d codes are spent that nobody was told of", unknown)
		}
	}
}

// redeemUntilKilled kills a process that redeems when it has acknowledged n
// codes, and returns which it has in all.
func redeemUntilKilled(t *testing.T, dir string, fresh []Code, n int) map[int]bool {
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
	acknowledged := make(map[int]bool)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		i, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		if acknowledged[i] = true; len(acknowledged) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(acknowledged) < n || len(acknowledged) == len(fresh) {
		t.Fatalf("%d were acknowledged: the process was not killed at work", len(acknowledged))
	}
	return acknowledged
}
