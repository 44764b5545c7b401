//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
)

// Stores of an earlier schema, one that was closed and one that was killed, are
// taken over by nodes that are killed while they start, again and again. When
// one is let live, everything is there.
func TestCrashWhileMigrating(t *testing.T) {
	l := &crashLab{t: t, rng: rand.New(rand.NewPCG(rand.Uint64(), 2)), texts: make(map[string]bool)}
	want := uint64(0)
	for _, state := range []string{"closed", "running"} {
		for round := range 4 {
			c := &crashNode{name: state, dir: filepath.Join(t.TempDir(), state)}
			earlierNode(t, c.dir, state)
			for range round { // none at first: that tells what there is
				c.launch(t, nil)
				l.wait(startedIn)
				c.kill()
				l.check(c)
			}
			l.start(c, nil)
			c.kill()
			l.check(c)
			if got := storedEvents(t, c.dir); want == 0 {
				want = got
			} else if got != want || got < 100 {
				t.Errorf("%s, killed %d times: %d events, not %d", state, round, got, want)
			}
		}
	}
}

// earlierNode makes a data directory with a store of schema 1, whose key is
// that of the fixtures.
func earlierNode(t *testing.T, dir, state string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fixture := filepath.Join("..", "..", "internal", "eventlog", "testdata", "schema1.tar.gz")
	if out, err := exec.Command("tar", "xzf", fixture, "-C", dir, state).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Rename(filepath.Join(dir, state), filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	seed, key := [32]byte{9}, earlierKey
	id := fmt.Sprintf("# Parley identity. Keep it secret: who has it is you and can read your history.\nparley-identity 1\nkey %s\nstore %s\n",
		base64.StdEncoding.EncodeToString(seed[:]), base64.StdEncoding.EncodeToString(key[:]))
	sum := sha256.Sum256([]byte(id))
	id += fmt.Sprintf("check %x\n", sum[:8])
	if err := os.WriteFile(filepath.Join(dir, "identity.key"), []byte(id), 0o600); err != nil {
		t.Fatal(err)
	}
}

var earlierKey = [32]byte{1, 2, 3}

// storedEvents counts the events of all logs; that the node joined is one.
func storedEvents(t *testing.T, dir string) (n uint64) {
	t.Helper()
	s, err := eventlog.Open(t.Context(), eventlog.Options{Dir: filepath.Join(dir, "store"), Key: earlierKey, Light: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Since(t.Context(), 0) {
		if err != nil {
			t.Fatal(errors.Join(err, s.Close()))
		}
		n++
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}
