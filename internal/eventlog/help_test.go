package eventlog

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"iter"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/parley-chat/parley/internal/event"
)

var testKey = [32]byte{1, 2, 3}

// open opens a store that is checked and closed when the test ends.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, Key: testKey, Light: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkedClose(t, s) })
	return s
}

// checkedClose checks every invariant and closes; a closed store is left alone.
func checkedClose(t interface {
	Helper()
	Error(args ...any)
}, s *Store,
) {
	t.Helper()
	if s.enter() != nil {
		return
	}
	s.reading.RUnlock()
	if err := s.Check(context.Background()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// author seals batches as one author does.
type author struct {
	key  ed25519.PrivateKey
	id   event.Author
	seq  map[event.LogID]uint64
	last map[event.LogID]event.ID
	hlc  event.HLC
}

func newAuthor(n int) *author {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(n))
	key := ed25519.NewKeyFromSeed(seed)
	return &author{
		key: key, id: event.Author(key.Public().(ed25519.PublicKey)),
		seq: make(map[event.LogID]uint64), last: make(map[event.LogID]event.ID), hlc: 1_700_000_000_000 << 16,
	}
}

// seal seals drafts after what the author sealed last in the log. Drafts
// without an hlc get the next one.
func (a *author) seal(t testing.TB, log event.LogID, drafts ...event.Draft) *event.Batch {
	t.Helper()
	for i := range drafts {
		if drafts[i].HLC == 0 {
			a.hlc += 1 << 16
			drafts[i].HLC = a.hlc
		}
		if drafts[i].Kind == 0 {
			drafts[i].Kind = event.KindMessage
		}
	}
	b, err := event.Seal(log, a.id, a.seq[log], a.last[log], drafts, func(m []byte) []byte { return ed25519.Sign(a.key, m) })
	if err != nil {
		t.Fatal(err)
	}
	e := b.Events[len(b.Events)-1]
	a.seq[log], a.last[log] = e.Seq, e.ID
	return b
}

// texts returns n drafts with a text of size bytes.
func texts(n, size int) []event.Draft {
	d := make([]event.Draft, n)
	for i := range d {
		d[i].Payload = make([]byte, size)
		copy(d[i].Payload, binary.BigEndian.AppendUint32(nil, uint32(i)))
	}
	return d
}

func mustAppend(t testing.TB, s *Store, b *event.Batch) Appended {
	t.Helper()
	res, err := s.Append(t.Context(), b, false)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func collect(t testing.TB, seq iter.Seq2[Entry, error]) (out []Entry) {
	t.Helper()
	for e, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// count returns the number of events of a log, as its record has it.
func count(s *Store, log event.LogID) int {
	s.logs.mu.RLock()
	defer s.logs.mu.RUnlock()
	if l := s.logs.byID[log]; l != nil {
		return int(l.rec.count)
	}
	return 0
}

// afterEach takes the place of the metric that the writer tells of each commit.
type afterEach struct {
	prometheus.Histogram
	do func()
}

func (a afterEach) Observe(v float64) {
	a.do()
	a.Histogram.Observe(v)
}

// afterEachSync is the same of each sync.
type afterEachSync struct {
	prometheus.Counter
	do func()
}

func (a afterEachSync) Inc() {
	a.do()
	a.Counter.Inc()
}

// asked runs fn in the writing goroutine.
func asked(s *Store, fn func()) {
	done := make(chan struct{})
	s.asks <- func() { fn(); close(done) }
	<-done
}

func ids(entries []Entry) (out []event.ID) {
	for i := range entries {
		out = append(out, entries[i].Event.ID)
	}
	return out
}

func batchIDs(batches ...*event.Batch) (out []event.ID) {
	for _, b := range batches {
		for i := range b.Events {
			out = append(out, b.Events[i].ID)
		}
	}
	return out
}
