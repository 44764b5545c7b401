package eventlog

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// Backdated events, each under a fresh key, into a log of which 4 MB are kept:
// whatever comes, the disk holds those 4 MB and, of each author whose events went, that
// he was there. 10,000 in make test, BACKDATED of them, a million, in make soak.
func TestBackdatedEventsUnderFreshKeys(t *testing.T) {
	n, portion := 10_000, 2500
	if testing.Short() {
		n, portion = 2000, 1000
	}
	if s := os.Getenv("BACKDATED"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		must(t, err)
		portion = n / 10
	}
	const keep, perAuthor = 4 << 20, 400 // bytes
	dir := t.TempDir()
	s := open(t, dir)
	r := rand.New(rand.NewPCG(1, 2))
	last := newAuthor(0).seal(t, room, texts(1, 0)...)
	mustAppend(t, s, last)
	for i := range n {
		d := texts(1, 1000)
		d[0].HLC = event.HLC(1_600_000_000_000+r.Uint64N(100_000_000_000)) << 16
		d[0].Parents = batchIDs(last) // who names no parents is refused after 65,536
		last = newAuthor(1+i).seal(t, room, d...)
		if _, err := s.Append(t.Context(), last, false); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if (i+1)%portion > 0 {
			continue
		}
		kept, err := s.Retain(t.Context(), room, RetainOptions{MaxBytes: keep})
		must(t, err)
		must(t, s.Reclaim(t.Context()))
		size := diskUse(t, dir)
		most := int64(3*keep + 2*s.profile.vlogFile/4 + int64(i)*perAuthor)
		t.Logf("%d events: %d KB on disk, %d MB heap; %d went now", i+1, size>>10, heapMB(), kept.Events)
		if size > most {
			t.Errorf("%d events: %d MB on disk, %d at most", i+1, size>>20, most>>20)
		}
	}
}
