package eventlog

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// mappedMB returns how much of a store's value log the process holds, in MB.
func mappedMB(t *testing.T, s *Store) (mb float64) {
	t.Helper()
	nothing := func() {}
	asked(s, nothing)
	asked(s, nothing) // the writer has given back what was due after the first
	f, err := os.Open("/proc/self/smaps")
	must(t, err)
	defer f.Close()
	in := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb int
		if name, _, _ := strings.Cut(lines.Text(), " "); !strings.HasSuffix(name, ":") { // another mapping, with a file or without
			_, _, in = mappingOf(lines.Text(), s.pages.dir, ".vlog")
		} else if n, _ := fmt.Sscanf(lines.Text(), "Rss: %d", &kb); in && n == 1 {
			mb += float64(kb) / 1024
		}
	}
	return mb
}

// What was written to the value log and what is read from it does not stay in the
// process's memory, and is there all the same, also what was not synced.
func TestPagesOfTheValueLogAreGivenBack(t *testing.T) {
	if testing.Short() {
		t.Skip("slow under the race detector; make check runs it")
	}
	dir := t.TempDir()
	s := open(t, dir)
	most := 2 * float64(s.profile.mapped) / (1 << 20)
	a := newAuthor(1)
	fill := func() {
		for range 100 {
			mustAppend(t, s, a.seal(t, room, texts(256, 300)...))
		}
	}
	fill()
	if mb := mappedMB(t, s); mb > most {
		t.Errorf("%.1f MB are mapped after 11 MB were written", mb)
	}
	for range 2 { // of the second reading nothing was written before
		if n := len(collect(t, s.History(t.Context(), Query{Log: room}))); n != 25_600 {
			t.Fatalf("%d events", n)
		}
		if mb := mappedMB(t, s); mb > most {
			t.Errorf("%.1f MB are mapped after all was read", mb)
		}
	}
	must(t, s.enter())
	fill()
	if mb := mappedMB(t, s); mb < most {
		t.Errorf("%.1f MB are mapped: what is being read was taken away", mb)
	}
	s.leave()
	if mb := mappedMB(t, s); mb > most {
		t.Errorf("%.1f MB are mapped after reading has ended", mb)
	}
	checkedClose(t, s)
	if s = open(t, dir); count(s, room) != 51_200 {
		t.Errorf("%d events after opening again", count(s, room))
	}
}

func TestMappings(t *testing.T) {
	for line, want := range map[string]bool{
		"7f01000-7f03000 rw-s 00000000 fd:00 12 /a b/store/000001.vlog":           true,
		"7f01000-7f03000 rw-p 00000000 fd:00 12 /a b/store/000001.vlog":           false, // of this process alone
		"7f01000-7f03000 rw-s 00000000 fd:00 12 /a b/store/000001.sst":            false,
		"7f01000-7f03000 rw-s 00000000 fd:00 12 /a b/other/000001.vlog":           false,
		"7f01000-7f03000 rw-s 00000000 fd:00 12 /a b/store/of/000001.vlog":        false, // of another store, which may unmap it
		"7f01000-7f03000 rw-s 00000000 fd:00 12 /a b/store/000001.vlog (deleted)": false,
		"7f01000-7f03000 rw-p 00000000 00:00 0":                                   false,
		"":                                                                        false,
	} {
		start, end, ok := mappingOf(line, "/a b/store", ".vlog")
		if ok != want || ok && (start != 0x7f01000 || end != 0x7f03000) {
			t.Errorf("%q: %x to %x, %v", line, start, end, ok)
		}
	}
}
