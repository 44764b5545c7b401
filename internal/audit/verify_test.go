package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/parley-chat/parley/internal/fault"
)

// forge is how far somebody goes who changes a log.
type forge int

const (
	plain        forge = iota // changes lines
	fingerprints              // and makes their indexes and fingerprints fit
	hashes                    // and writes the file of hashes anew
)

// tamper changes the lines of a log as far as a forger goes.
func tamper(t *testing.T, dir string, how forge, change func(lines []string) []string) {
	t.Helper()
	edit(t, dir, func(lines []string) []string {
		lines = change(lines)
		if how == plain {
			return lines
		}
		for n, line := range lines {
			line = strings.Replace(line, line[:strings.Index(line, ",")], `{"n":`+strconv.Itoa(n), 1)
			lines[n] = string(refingerprint([]byte(line)))
		}
		return lines
	})
	if how == hashes {
		rehash(t, dir)
	}
}

// rehash writes the file of hashes that belongs to the lines.
func rehash(t *testing.T, dir string) {
	t.Helper()
	var edge frontier
	var all []tlog.Hash
	for _, line := range linesOf(t, dir) {
		all = edge.add(tlog.RecordHash([]byte(line)), all)
	}
	writeFile(t, filepath.Join(dir, hashesName), appendHashes(nil, all))
}

// What was done to the log, and what is said of it: of lines that were changed
// without more, with indexes and fingerprints made to fit, and with the hashes too.
// Checkpoints were signed of 12, 20 and 30 records.
//
// spec: 12-audit M3, M4
func TestEveryChangeIsFoundAndNamed(t *testing.T) {
	base := logOf(t, 30, 12, 20)
	sound(t, base, 30)
	for name, c := range map[string]struct {
		change func(lines []string) []string
		says   [3]string
	}{
		"a word is changed": {
			func(lines []string) []string {
				lines[17] = strings.Replace(lines[17], `"ticket"`, `"stolen"`, 1)
				return lines
			},
			[3]string{
				"record 17 of the audit log was changed: its fingerprint is not that of its text",
				"record 17 of the audit log was changed: it and those behind it are not what the checkpoint of 20 records signed",
				"one of the records 12 to 19 of the audit log was changed: they are not what the checkpoint of 20 records signed",
			},
		},
		"the first is removed": {
			func(lines []string) []string { return lines[1:] },
			[3]string{
				"record 0 is missing",
				"record 0 of the audit log was changed: it and those behind it are not what the checkpoint of 12 records signed",
				"one of the records 0 to 11 of the audit log was changed",
			},
		},
		"one is removed": {
			func(lines []string) []string { return append(lines[:15], lines[16:]...) },
			[3]string{
				"record 15 is missing",
				"record 15 of the audit log was changed: it and those behind it are not what the checkpoint of 20 records signed",
				"one of the records 12 to 19 of the audit log was changed",
			},
		},
		"the last are removed": {
			func(lines []string) []string { return lines[:25] },
			[3]string{
				"records 25 to 29 are missing in the audit log: a checkpoint of 30 records was signed",
				"records 25 to 29 are missing in the audit log: a checkpoint of 30 records was signed",
				"records 25 to 29 are missing in the audit log: a checkpoint of 30 records was signed",
			},
		},
		"two change places": {
			func(lines []string) []string {
				lines[21], lines[26] = lines[26], lines[21]
				return lines
			},
			[3]string{
				"records 21 to 25 are missing",
				"record 21 of the audit log was changed: it and those behind it are not what the checkpoint of 30 records signed",
				"one of the records 20 to 29 of the audit log was changed",
			},
		},
		"one is put in": {
			func(lines []string) []string {
				return append(lines[:22:22], append([]string{lines[3]}, lines[22:]...)...)
			},
			[3]string{
				"record 3 of the audit log stands where 22 should: it was moved or put in",
				"record 22 of the audit log was changed: it and those behind it are not what the checkpoint of 30 records signed",
				"one of the records 20 to 29 of the audit log was changed",
			},
		},
		"a line is no record": {
			func(lines []string) []string {
				lines[5] = lines[5][:40]
				return lines
			},
			[3]string{"record 5 of the audit log was changed: it does not have the form of a record"},
		},
	} {
		for how, says := range c.says {
			if says == "" {
				continue
			}
			dir := copyDir(t, base)
			tamper(t, dir, forge(how), c.change)
			_, err := verified(t, dir)
			if _, ok := fault.As(err); !ok || !strings.Contains(err.Error(), says) {
				t.Errorf("%s (%d): got  %v\nwant %s", name, how, err, says)
			}
		}
	}
}

// The same with what else lies beside the records.
//
// spec: 12-audit M5, M6
func TestOtherFilesAreChecked(t *testing.T) {
	base := logOf(t, 30, 12, 20)
	_, other := registrar(t, 2)
	foreign := logWith(t, 2, 20)
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		want   error
		says   string
	}{
		"a hash is changed": {func(t *testing.T, dir string) { flip(t, dir, hashesName, 900) }, ErrHashes, "file of hashes"},
		"hashes end early": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, hashesName), 1000); err != nil {
				t.Fatal(err)
			}
		}, nil, ""},
		"a checkpoint names another size": {
			func(t *testing.T, dir string) { replace(t, dir, `\n20\n`, `\n21\n`) },
			ErrCheckpoint, "the checkpoint of 21 records in checkpoints.jsonl, behind that of 12 records, is not what was signed: a signature on it is wrong",
		},
		"a checkpoint has another signer": {func(t *testing.T, dir string) {
			_, id := registrar(t, 1)
			replace(t, dir, id.String(), other.String())
		}, ErrCheckpoint, "whose log it is has not signed it"},
		"a checkpoint is no note": {func(t *testing.T, dir string) { replace(t, dir, `\n20\n`, ``) }, ErrCheckpoint, "does not have the form of a checkpoint"},
		"a checkpoint is another log's": {
			func(t *testing.T, dir string) { add(t, dir, checkpointsName, foreign) },
			ErrUntrusted, "is signed by " + other.String(),
		},
		"checkpoints change places": {func(t *testing.T, dir string) {
			lines := strings.SplitAfter(read(t, dir, checkpointsName), "\n")
			writeFile(t, filepath.Join(dir, checkpointsName), []byte(lines[1]+lines[0]+lines[2]))
		}, ErrCheckpoint, "the checkpoint of 12 records in checkpoints.jsonl stands behind that of 20 records"},
		"checkpoints are removed": {func(t *testing.T, dir string) { remove(t, dir, checkpointsName) }, ErrUnsaid, "no checkpoint"},
		"a file is removed":       {func(t *testing.T, dir string) { removeSegment(t, dir) }, ErrMissing, "are missing"},
	} {
		dir := copyDir(t, base)
		c.change(t, dir)
		_, err := verified(t, dir)
		if !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got  %v\nwant %v with %q", name, err, c.want, c.says)
		}
	}
	dir := copyDir(t, base)
	add(t, dir, checkpointsName, foreign)
	if _, err := verified(t, dir, other); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), "is of another log") {
		t.Errorf("another log's checkpoint, trusted: %v", err)
	}
}

// A log of two histories, both signed, is told from one whose records were changed.
func TestTwoHistoriesAreTold(t *testing.T) {
	dir := logOf(t, 20, 12)
	s, _ := registrar(t, 1)
	msg, err := sign(s, 20, tlog.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	add(t, dir, checkpointsName, noteLine(msg))
	if _, err := verified(t, dir); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), "there were two histories") {
		t.Error(err)
	}
}

func TestVerifyTellsWhatItVerified(t *testing.T) {
	dir := logOf(t, 30, 12, 20)
	_, id := registrar(t, 1)
	rep, err := verified(t, dir)
	if err != nil || rep.Records != 30 || rep.Signed != 30 || rep.Checkpoints != 3 || rep.Owner != id || rep.Tag != testTag || rep.Cosigned != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	if _, err := Verify(t.Context(), dir, Options{}); !errors.Is(err, ErrUntrusted) {
		t.Errorf("by nobody who is trusted: %v", err)
	}
	signed := read(t, dir, checkpointsName)
	l := open(t, dir, small(t))
	fill(t, l, 30, 32)
	closed(t, l)
	writeFile(t, filepath.Join(dir, checkpointsName), []byte(signed)) // as before they were signed
	if rep, err := verified(t, dir); err != nil || rep.Records != 32 || rep.Signed != 30 {
		t.Errorf("with two that are not signed: %+v, %v", rep, err)
	}
	edit(t, dir, func(lines []string) []string {
		lines[30] = string(refingerprint([]byte(strings.Replace(lines[30], "ticket", "stolen", 1))))
		return lines
	})
	if _, err := verified(t, dir); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "record 30 ") {
		t.Errorf("one of them was changed: %v", err)
	}
}

// Verifying beside a registrar that writes never finds fault.
func TestVerifyBesideAWriter(t *testing.T) {
	c := small(t)
	c.SegmentSize = 8 << 10
	l := open(t, t.TempDir(), c)
	fill(t, l, 0, 1)
	for _, ok := l.Checkpoint(); !ok; _, ok = l.Checkpoint() {
		runtime.Gosched()
	}
	more := make(chan struct{}, 200) // so many records a verification: the log does not outgrow the reader
	done := make(chan int)
	go func() {
		n := 1
		for range more {
			if err := l.Write(context.Background(), login(n)); err != nil {
				t.Error(err)
			}
			n++
		}
		done <- n
	}()
	for range 20 {
		for len(more) < cap(more) {
			more <- struct{}{}
		}
		if rep, err := verified(t, l.dir); err != nil {
			t.Errorf("%+v, %v", rep, err)
		}
	}
	close(more)
	n := <-done
	closed(t, l)
	sound(t, l.dir, int64(n))
}

func TestVerifyTellsHowFarItIs(t *testing.T) {
	c := small(t)
	c.SegmentSize = 0
	l := open(t, t.TempDir(), c)
	for n := range 2*progressEvery + 5 {
		if err := l.Write(t.Context(), login(n)); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, l)
	_, id := registrar(t, 1)
	var told [][2]int64
	o := Options{Trusted: []peer.ID{id}, Progress: func(done, of int64) { told = append(told, [2]int64{done, of}) }}
	if _, err := Verify(t.Context(), l.dir, o); err != nil || len(told) != 2 || told[1] != [2]int64{2 * progressEvery, 2*progressEvery + 5} {
		t.Errorf("%v, %v", told, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, l.dir, o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// logWith returns the line of the checkpoint of a log of registrar who.
func logWith(t *testing.T, who byte, n int) []byte {
	t.Helper()
	c := small(t)
	c.Signer, _ = registrar(t, who)
	l := open(t, t.TempDir(), c)
	fill(t, l, 0, n)
	closed(t, l)
	last, ok := l.Checkpoint()
	if !ok {
		t.Fatal("no checkpoint")
	}
	return noteLine(last.Note)
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replace changes all places in the file of checkpoints.
func replace(t *testing.T, dir, old, new string) {
	t.Helper()
	text := read(t, dir, checkpointsName)
	if !strings.Contains(text, old) {
		t.Fatalf("no %q in %s", old, text)
	}
	writeFile(t, filepath.Join(dir, checkpointsName), []byte(strings.ReplaceAll(text, old, new)))
}

func flip(t *testing.T, dir, name string, at int) {
	t.Helper()
	text := []byte(read(t, dir, name))
	text[at] ^= 1
	writeFile(t, filepath.Join(dir, name), text)
}

// removeSegment removes the second file of records.
func removeSegment(t *testing.T, dir string) {
	t.Helper()
	firsts, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, dir, segmentName(firsts[1]))
}
