package codes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/disk"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

const (
	alice = "12D3KooWAlice"
	bob   = "12D3KooWBob"
	day   = 24 * time.Hour
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// one makes one code that lives for a day.
func one(t *testing.T, s *Store) string {
	t.Helper()
	c, err := s.New(1, day, start)
	if err != nil {
		t.Fatal(err)
	}
	return c[0].Text()
}

func TestRedeem(t *testing.T) {
	s := open(t, t.TempDir())
	code, other, late := one(t, s), one(t, s), one(t, s)
	unknown := Code{[16]byte{1}}.Text()
	for _, c := range []struct {
		what, text, peer string
		at               time.Duration
		want             error
	}{
		{"a text that is no code", "please", alice, 0, ErrMistyped},
		{"a code never made", unknown, alice, 0, ErrWrong},
		{"a code", code, alice, 0, nil},
		{"the same peer again", code, alice, time.Hour, nil},
		{"the same peer at the last moment", code, alice, day - 1, nil},
		{"the same peer when its life is over", code, alice, day, ErrExpired},
		{"another peer", code, bob, time.Hour, ErrUsed},
		{"another peer when its life is over", code, bob, 2 * day, ErrUsed},
		{"another code for the same peer", other, alice, 0, nil},
		{"one whose life is over", late, bob, day, ErrExpired},
		{"a used one, a month later", code, bob, 30*day - 1, ErrUsed},
	} {
		if err := s.Redeem(c.text, c.peer, start.Add(c.at)); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

// What was redeemed and what was not is so after a restart.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	used, fresh := one(t, s), one(t, s)
	if err := s.Redeem(used, alice, start); err != nil {
		t.Fatal(err)
	}
	before := s.Known()
	s = open(t, dir)
	if got := s.Known(); !slices.Equal(got, before) || len(got) != 2 {
		t.Errorf("%v became %v", before, got)
	}
	if err := s.Redeem(used, bob, start); !errors.Is(err, ErrUsed) {
		t.Errorf("a used one: %v", err)
	}
	if err := errors.Join(s.Redeem(used, alice, start), s.Redeem(fresh, bob, start)); err != nil {
		t.Error(err)
	}
}

// Two peers race for each of 100 codes: one gets it, and the file says who.
func TestTwoRace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fresh, err := s.New(100, day, start)
	if err != nil {
		t.Fatal(err)
	}
	won := map[string]string{}
	for _, c := range fresh {
		var wg sync.WaitGroup
		var got [2]error
		for i, peer := range []string{alice, bob} {
			wg.Go(func() { got[i] = s.Redeem(c.Text(), peer, start) })
		}
		wg.Wait()
		switch {
		case got[0] == nil && errors.Is(got[1], ErrUsed):
			won[c.Name()] = alice
		case got[1] == nil && errors.Is(got[0], ErrUsed):
			won[c.Name()] = bob
		default:
			t.Fatalf("alice was told %v, bob %v", got[0], got[1])
		}
	}
	for _, k := range open(t, dir).Known() {
		if k.UsedBy != won[k.Name] || !k.Used.Equal(start) {
			t.Errorf("the file says %s of a code that %s was given", k.UsedBy, won[k.Name])
		}
	}
}

// A file of the first version, which had no journal, is read, and has one from the
// first change on.
func TestTheFirstVersionIsRead(t *testing.T) {
	dir := t.TempDir()
	c := Code{[16]byte{7}}
	used := Code{[16]byte{8}}
	h, u := c.hash(), used.hash()
	old := fmt.Sprintf(`{"version":1,"codes":[{"hash":"%x","expires":"2026-03-02T08:00:00Z"},`+
		`{"hash":"%x","expires":"2026-03-02T08:00:00Z","used_by":%q,"used":"2026-03-01T07:00:00Z"}]}`, h[:], u[:], bob)
	if err := os.WriteFile(filepath.Join(dir, codesFile), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := open(t, dir)
		if err := errors.Join(s.Redeem(used.Text(), bob, start), s.Redeem(c.Text(), alice, start)); err != nil {
			t.Error(err)
		}
		if err := s.Redeem(c.Text(), bob, start); !errors.Is(err, ErrUsed) {
			t.Error(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, codesFile))
	if err != nil || !strings.HasPrefix(string(data), `{"version":2,"journal":1,`) {
		t.Errorf("%s, %v: a reader of the first version would not know of the journal", data, err)
	}
}

// Those who come while the disk is busy are written down together, and one code
// that several want then is one's.
func TestManyInOneSync(t *testing.T) {
	const callers = 100
	dir := t.TempDir()
	s := open(t, dir)
	fresh, err := s.New(callers, day, start)
	if err != nil {
		t.Fatal(err)
	}
	wanted := one(t, s)
	begun, hold, syncs := make(chan struct{}), make(chan struct{}), 0
	s.file.journal.sync = func() error {
		if syncs++; syncs == 1 {
			close(begun)
			<-hold
		}
		return nil
	}
	var wg sync.WaitGroup
	var got [2]error
	redeem := func(text, peer string) {
		wg.Go(func() {
			if err := s.Redeem(text, peer, start); err != nil {
				t.Error(err)
			}
		})
	}
	redeem(fresh[0].Text(), "peer-0")
	<-begun
	for i, c := range fresh[1:] {
		redeem(c.Text(), fmt.Sprint("peer-", i+1))
	}
	for i, peer := range []string{alice, bob} {
		wg.Go(func() { got[i] = s.Redeem(wanted, peer, start) })
	}
	for s.busy() != callers+1 {
		runtime.Gosched()
	}
	close(hold)
	wg.Wait()
	if syncs != 2 {
		t.Errorf("%d syncs", syncs)
	}
	if (got[0] == nil) == (got[1] == nil) || !errors.Is(errors.Join(got[:]...), ErrUsed) {
		t.Errorf("alice was told %v, bob %v", got[0], got[1])
	}
	for _, k := range open(t, dir).Known() {
		if k.UsedBy == "" {
			t.Errorf("%s was redeemed and is not used after a restart", k.Name)
		}
	}
}

// busy is how many wait.
func (s *Store) busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

func TestForgotten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	unused, used := one(t, s), one(t, s)
	long, err := s.New(1, 90*day, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{used, long[0].Text()} {
		if err := s.Redeem(text, alice, start.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{
		{30*day + time.Hour - 1, 3}, {30*day + time.Hour, 2}, // the one used an hour after the start
		{31*day - 1, 2}, {31 * day, 1}, // the one that expired a day after it
		{90*day - 1, 1}, {90 * day, 0}, // the one that its peer may redeem again for so long
	} {
		s, err := Open(dir, start.Add(c.at))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(s.Known()); got != c.want {
			t.Errorf("after %v %d are known, want %d", c.at, got, c.want)
		}
	}
	// A change writes down what was forgotten.
	if _, err := s.New(1, day, start.Add(31*day)); err != nil {
		t.Fatal(err)
	}
	if got := len(open(t, dir).Known()); got != 2 {
		t.Errorf("%d are in the file, want 2", got)
	}
	if err := s.Redeem(unused, bob, start.Add(31*day)); !errors.Is(err, ErrWrong) {
		t.Errorf("a forgotten one: %v", err)
	}
}

func TestBounds(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, c := range []struct {
		count int
		life  time.Duration
	}{{0, day}, {-1, day}, {MaxCodes + 1, day}, {1, 0}, {1, MinLife - 1}, {1, MaxLife + 1}} {
		if _, err := s.New(c.count, c.life, start); !errors.Is(err, ErrAmount) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := s.New(MaxCodes-1, MaxLife, start); err != nil {
		t.Fatal(err)
	}
	if _, err := s.New(2, day, start); !errors.Is(err, ErrFull) {
		t.Errorf("two more than fit: %v", err)
	}
	text := one(t, s)
	if err := s.Redeem(text, alice, start); err != nil {
		t.Errorf("the last that fits: %v", err)
	}
	if got := len(open(t, dir).Known()); got != MaxCodes {
		t.Errorf("%d are in the file", got)
	}
	for _, peer := range []string{"", strings.Repeat("x", maxPeer+1), "two words", "\x00\x24"} {
		if err := s.Redeem(text, peer, start); err == nil {
			t.Errorf("the peer %q redeemed a code", peer)
		}
	}
}

// Neither the codes nor their parts are in the file.
func TestOnlyHashesAreKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	c, err := s.New(1, day, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Redeem(c[0].Text(), alice, start); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{codesFile, journalFile} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{c[0].Text(), c[0].chars(), c[0].chars()[:8], fmt.Sprintf("%x", c[0].secret[:4])} {
			if strings.Contains(strings.ToLower(string(data)), strings.ToLower(secret)) {
				t.Errorf("%s holds %s", data, secret)
			}
		}
		if info, err := os.Stat(path); err != nil || disk.HasModes && info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
}
