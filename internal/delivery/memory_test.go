package delivery

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/reconcile"
)

var (
	testLog  = event.LogID{1}
	testTime = time.UnixMilli(1_700_000_000_000)
)

// author writes the chain of one author, for tests.
type author struct {
	key  ed25519.PrivateKey
	id   event.Author
	seq  uint64
	last event.ID
}

func newAuthor(seed byte) *author {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return &author{key: key, id: event.Author(key.Public().(ed25519.PublicKey))}
}

func (a *author) sign(m []byte) []byte { return ed25519.Sign(a.key, m) }

// write seals a batch of n events after parents at a time.
func (a *author) write(t testing.TB, at time.Time, n int, parents ...event.ID) *event.Batch {
	t.Helper()
	drafts := make([]event.Draft, n)
	for i := range drafts {
		drafts[i] = event.Draft{HLC: event.HLCAt(at) + event.HLC(i), Kind: event.KindMessage, Payload: []byte(fmt.Sprint(a.seq, i))}
	}
	drafts[0].Parents = parents
	b, err := event.Seal(testLog, a.id, a.seq, a.last, drafts, a.sign)
	if err != nil {
		t.Fatal(err)
	}
	newest := &b.Events[n-1]
	a.seq, a.last = newest.Seq, newest.ID
	return b
}

// big seals a batch of two events of about so many bytes together.
func (a *author) big(t testing.TB, size int) *event.Batch {
	t.Helper()
	drafts := []event.Draft{
		{HLC: event.HLCAt(testTime), Kind: event.KindMessage, Payload: make([]byte, size/2)},
		{HLC: event.HLCAt(testTime) + 1, Kind: event.KindMessage, Payload: make([]byte, size/2)},
	}
	b, err := event.Seal(testLog, a.id, a.seq, a.last, drafts, a.sign)
	if err != nil {
		t.Fatal(err)
	}
	a.seq, a.last = a.seq+2, tail(b)
	return b
}

// tail is the id of a batch's last event.
func tail(b *event.Batch) event.ID { return b.Events[len(b.Events)-1].ID }

// memory is a Store in memory, for tests of what needs no disk.
type memory struct {
	mu      sync.Mutex // over Append; tests read when it is quiet
	batches map[event.ID]*event.Batch
	authors map[event.Author]uint64 // highest seq
	hasty   int                     // batches that were not to be durable
}

func newMemory(batches ...*event.Batch) *memory {
	m := &memory{batches: make(map[event.ID]*event.Batch), authors: make(map[event.Author]uint64)}
	for _, b := range batches {
		if _, err := m.Append(context.Background(), b, false); err != nil {
			panic(err)
		}
	}
	return m
}

func (m *memory) Append(_ context.Context, b *event.Batch, durable bool) (eventlog.Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !durable {
		m.hasty++
	}
	res := eventlog.Appended{New: make([]bool, len(b.Events))}
	for i := range b.Events {
		_, known := m.batches[b.Events[i].ID]
		res.New[i] = !known
		m.batches[b.Events[i].ID] = b
		m.authors[b.Author()] = max(m.authors[b.Author()], b.Events[i].Seq)
	}
	return res, nil
}

func (m *memory) AppendAll(ctx context.Context, batches []*event.Batch, durable bool) (res []eventlog.Appended, errs []error) {
	for _, b := range batches {
		r, err := m.Append(ctx, b, durable)
		res, errs = append(res, r), append(errs, err)
	}
	return res, errs
}

func (m *memory) Has(id event.ID) (bool, error) { return m.batches[id] != nil, nil }

func (m *memory) Batch(id event.ID) (*event.Batch, bool, error) {
	return m.batches[id], m.batches[id] != nil, nil
}

// parents returns every id that is named as a parent.
func (m *memory) parents() map[event.ID]bool {
	named := make(map[event.ID]bool)
	for _, b := range m.batches {
		for i := range b.Events {
			for _, p := range b.Events[i].Parents {
				named[p] = true
			}
		}
	}
	return named
}

func (m *memory) Heads(event.LogID) (heads []event.ID, err error) {
	named := m.parents()
	for id := range m.batches {
		if !named[id] {
			heads = append(heads, id)
		}
	}
	slices.SortFunc(heads, event.ID.Compare)
	return heads, nil
}

func (m *memory) Missing(event.LogID) (missing []event.ID, err error) {
	for id := range m.parents() {
		if m.batches[id] == nil {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func (m *memory) Range(event.LogID) reconcile.Set {
	m.mu.Lock()
	defer m.mu.Unlock()
	var items []reconcile.Item
	for id, b := range m.batches {
		for i := range b.Events {
			if b.Events[i].ID == id {
				items = append(items, reconcile.Item{Second: uint64(b.Events[i].HLC.Second()), ID: id})
			}
		}
	}
	return reconcile.NewSlice(items)
}

func (m *memory) Floor(event.LogID) uint64 { return 0 }

func (m *memory) Settle(context.Context, event.LogID, []event.ID) error { return nil }

func (m *memory) Cut(*event.Batch) int { return 0 }

func (m *memory) Refused(event.ID) bool { return false }

func (m *memory) AnyCut() bool { return false }

func (m *memory) Last(_ event.LogID, a event.Author) (seq uint64, id event.ID, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.authors[a], id, nil
}

func (m *memory) Complete(log event.LogID) (bool, error) {
	missing, err := m.Missing(log)
	return len(missing) == 0, err
}

func (m *memory) AppendWith(ctx context.Context, b *event.Batch, durable bool, _ ...eventlog.Mark) (eventlog.Appended, error) {
	return m.Append(ctx, b, durable)
}

func (m *memory) Meta(string) ([]byte, error) { return nil, nil }

func (m *memory) DeleteMetas(context.Context, string, func(eventlog.Mark) bool) (int, error) {
	return 0, nil
}
