package eventlog

import (
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

// The largest commit that hostile batches can bring about is one that badger
// takes: an error there would end writing for good.
func TestLargestCommitFits(t *testing.T) {
	for _, light := range []bool{true, false} {
		for _, size := range []int{0, 500, 900} {
			s, err := Open(t.Context(), Options{Dir: t.TempDir(), Key: testKey, Light: light})
			must(t, err)
			reqs := largestGroup(t, s, size)
			asked(s, func() { s.commit(reqs) })
			for i, r := range reqs {
				if _, err := r.wait(); err != nil {
					t.Fatalf("light %v, size %d, request %d of %d: %v", light, size, i, len(reqs), err)
				}
			}
			checkedClose(t, s)
		}
	}
}

// largestGroup gathers single events of as many authors and logs, each with as
// many missing parents as can be, and, in the end, as large a batch.
func largestGroup(t *testing.T, s *Store, size int) (reqs []*request) {
	t.Helper()
	keys, bytes := 0, 0
	add := func(log event.LogID, a *author, drafts []event.Draft) {
		r := &request{batch: a.seal(t, log, drafts...), done: make(chan struct{})}
		k, b := r.size()
		keys, bytes = keys+k, bytes+b
		reqs = append(reqs, r)
	}
	drafts := func(n, parents, size int) []event.Draft {
		d := texts(n, size)
		for i := range d {
			d[i].Kind = event.KindProfile
			for p := range parents {
				d[i].Parents = append(d[i].Parents, event.ID{byte(p), byte(i), byte(len(reqs)), byte(len(reqs) >> 8), 1})
			}
		}
		return d
	}
	for n := 0; ; n++ {
		a, log := newAuthor(n), event.LogID{2, byte(n), byte(n >> 8)}
		a.seq[log], a.last[log] = 1, event.ID{9, byte(n), byte(n >> 8)}
		r := drafts(1, event.MaxParents-1, size)
		if keys+8+3+event.MaxParents >= maxGroupKeys || bytes+size+600 >= s.profile.group {
			break
		}
		add(log, a, r)
	}
	big := newAuthor(1 << 20)
	big.seq[room], big.last[room] = 1, event.ID{8}
	add(room, big, drafts(event.MaxBatchEvents, event.MaxParents-1, 0))
	t.Logf("%d requests, %d keys, %d bytes", len(reqs), keys, bytes)
	return reqs
}
