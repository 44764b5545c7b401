package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/note"
)

const testTag = "0a1b2c3d"

// registrar n of the tests: what it signs with, and who it is.
func registrar(t testing.TB, n byte) (note.Signer, peer.ID) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32))
	s, err := NewSigner(testTag, [32]byte(key.Public().(ed25519.PublicKey)), func(msg []byte) []byte { return ed25519.Sign(key, msg) })
	if err != nil {
		t.Fatal(err)
	}
	_, id, err := parseName(s.Name())
	if err != nil {
		t.Fatal(err)
	}
	return s, id
}

// small is the configuration of registrar 1, with files of a few records.
func small(t testing.TB) Config {
	s, _ := registrar(t, 1)
	return Config{Signer: s, SegmentSize: 2 << 10}
}

func open(t testing.TB, dir string, c Config) *Log {
	t.Helper()
	l, err := Open(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func closed(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// login is record n of many.
func login(n int) Record {
	return Record{Time: at.Add(time.Duration(n) * time.Second), Op: OpLogin, Actor: fmt.Sprintf("12D3KooW%06d", n), Reason: "ticket", Addr: "/ip4/192.0.2.1/tcp/7330"}
}

// fill appends records from..to-1.
func fill(t testing.TB, l *Log, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if got, err := l.Append(context.Background(), login(n)); err != nil || got != int64(n) {
			t.Fatalf("record %d: got index %d, %v", n, got, err)
		}
	}
}

// logOf makes a closed log of n records of registrar 1 with checkpoints of each
// of the sizes, which are ascending, and of n.
func logOf(t testing.TB, n int, sizes ...int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	at := 0
	for _, size := range append(sizes, n) {
		l := open(t, dir, small(t))
		fill(t, l, at, size)
		at = size
		closed(t, l) // signs
	}
	// What was signed on the way, depending on how fast it went, is left out.
	path, kept := filepath.Join(dir, checkpointsName), ""
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		for _, size := range append(sizes, n) {
			if strings.Contains(line, fmt.Sprintf(`\n%d\n`, size)) {
				kept += line
			}
		}
	}
	writeFile(t, path, []byte(kept))
	return dir
}

// verified checks a log of registrar 1.
func verified(t testing.TB, dir string, trusted ...peer.ID) (Report, error) {
	t.Helper()
	_, id := registrar(t, 1)
	return Verify(context.Background(), dir, Options{Trusted: append(trusted, id)})
}

// sound fails the test if a log of registrar 1 is not, or not of n records.
func sound(t testing.TB, dir string, n int64) {
	t.Helper()
	if rep, err := verified(t, dir); err != nil || rep.Records != n {
		t.Fatalf("%d records, want %d: %v", rep.Records, n, err)
	}
}

// edit changes the file of a log that holds old.
func edit(t testing.TB, dir string, change func(lines []string) []string) {
	t.Helper()
	firsts, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	var counts []int
	for _, first := range firsts {
		text, err := os.ReadFile(filepath.Join(dir, segmentName(first)))
		if err != nil {
			t.Fatal(err)
		}
		part := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
		lines, counts = append(lines, part...), append(counts, len(part))
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\n")
	}
	lines = change(lines)
	for i, first := range firsts {
		n := min(counts[i], len(lines))
		if i == len(firsts)-1 {
			n = len(lines)
		}
		text := ""
		if n > 0 {
			text = strings.Join(lines[:n], "\n") + "\n"
		}
		lines = lines[n:]
		writeFile(t, filepath.Join(dir, segmentName(first)), []byte(text))
	}
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// copyDir copies the files of a log.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}
