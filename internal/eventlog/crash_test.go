package eventlog

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

const crashDirVar = "PARLEY_EVENTLOG_CRASH_DIR"

// children are what the test program does in place of testing when a variable
// names a directory.
var children = map[string]func(dir string){crashDirVar: appendForEver, fullDirVar: playFull}

// TestMain turns the test program into one of them.
func TestMain(m *testing.M) {
	for name, play := range children {
		if dir := os.Getenv(name); dir != "" {
			play(dir)
		}
	}
	os.Exit(m.Run())
}

// appendForEver prints the id and the arrival number of each event that was
// acknowledged: durable ones of two authors, gossiped ones of two others.
func appendForEver(dir string) {
	t := crashTB{}
	s, err := Open(context.Background(), Options{Dir: dir, Key: testKey, Light: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		go func() {
			a := newAuthor(os.Getpid()*10 + n)
			for i := 0; ; i++ {
				var batches []*event.Batch
				for range 1 + n%2*(i%8) {
					batches = append(batches, a.seal(t, room, texts(1+i%7*10, 30+i%5*400)...))
				}
				res, errs := s.AppendAll(context.Background(), batches, n%2 == 0)
				for k, b := range batches {
					if errs[k] != nil {
						t.Fatal(errs[k])
					}
					last := len(b.Events) - 1
					fmt.Printf("%v %d .\n", b.Events[last].ID, res[k].Arrival+uint64(last))
				}
			}
		}()
	}
	select {}
}

// crashTB is what seal needs of a testing.TB in the child.
type crashTB struct{ testing.TB }

func (crashTB) Helper() {}
func (crashTB) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(1)
}

// A child appends and is killed at some moment, again and again on one
// directory: whatever it had acknowledged is there under its number, everything
// is consistent, and no arrival number is given twice.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	newest := uint64(0)
	for round := range rounds {
		acked := runAndKill(t, dir, 5+round*round*9)
		s := open(t, dir)
		for id, arrival := range acked {
			if e, ok, err := s.Get(id); err != nil || !ok || e.Arrival != arrival || arrival <= newest {
				t.Fatalf("round %d: acknowledged event %v has number %d, not %d (%v)", round, id, e.Arrival, arrival, err)
			}
		}
		n, first := 0, uint64(0)
		for e, err := range s.Since(t.Context(), newest) {
			if err != nil {
				t.Fatal(err)
			}
			if first == 0 {
				first = e.Arrival
			}
			n++
		}
		if n < len(acked) {
			t.Errorf("round %d: %d events came after cursor %d, %d were acknowledged", round, n, newest, len(acked))
		}
		next := s.writer.next
		checkedClose(t, s)
		if t.Failed() {
			return
		}
		newest = max(newest, next-1)
	}
}

// runAndKill starts the child, waits for n acknowledgements, and kills it.
func runAndKill(t *testing.T, dir string, n int) (acked map[event.ID]uint64) {
	t.Helper()
	acked = make(map[event.ID]uint64)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDirVar+"="+dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			break // the last line may be cut
		}
		id, err := event.ParseID(fields[0])
		must(t, err)
		arrival, err := strconv.ParseUint(fields[1], 10, 64)
		must(t, err)
		if acked[id] = arrival; len(acked) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if len(acked) < n {
		t.Fatalf("the child ended by itself after %d: %v\n%s", len(acked), err, errs.String())
	}
	return acked
}
