package direct

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/eventlog"
)

// shelf is a Store in memory, for tests of what needs no disk.
type shelf struct {
	metas   map[string][]byte
	commits int
	full    bool              // it keeps nothing
	missing func() []event.ID // may be nil
}

var errFull = errors.New("no space")

func (*shelf) Author(event.LogID, event.Author) (s eventlog.AuthorState, err error) { return s, nil }

func (*shelf) Batch(event.ID) (*event.Batch, bool, error) { return nil, false, nil }

func (f *shelf) Meta(key string) ([]byte, error) { return f.metas[key], nil }

func (*shelf) Last(event.LogID, event.Author) (seq uint64, id event.ID, err error) { return 0, id, nil }

func (f *shelf) Complete(event.LogID) (bool, error) {
	return f.missing == nil || len(f.missing()) == 0, nil
}

func (f *shelf) SetMeta(key string, val []byte) error {
	return f.SetMetas(context.Background(), eventlog.Mark{Key: key, Val: val})
}

func (f *shelf) SetMetas(_ context.Context, marks ...eventlog.Mark) error {
	if f.full {
		return errFull
	}
	f.commits++
	for _, m := range marks {
		f.metas[m.Key] = m.Val
	}
	return nil
}

// shelved returns a service with n pairs that has nothing but a shelf.
func shelved(n int) (*Service, *shelf) {
	f := &shelf{metas: make(map[string][]byte)}
	s := &Service{
		cfg: Config{Store: f}, log: slog.New(slog.DiscardHandler), dirty: make(chan struct{}, 1),
		pairs: make(map[event.Author]*Pair), byLog: make(map[event.LogID]*Pair),
	}
	for i := range n {
		a := strangerOf(i)
		s.pairs[a] = &Pair{s: s, author: a}
	}
	return s, f
}

// What changed of many pairs is kept in few commits; what could not be kept is
// kept the next time.
func TestRecordsAreKept(t *testing.T) {
	const n = 2*keepAtOnce + 1
	s, f := shelved(n)
	for _, p := range s.pairs {
		p.rec.Sent = Place{7, event.ID{7}}
		p.changed()
	}
	f.full = true
	s.keepAll()
	f.full = false
	s.keepAll()
	if len(f.metas) != n || f.commits != 3 {
		t.Errorf("%d of %d are kept, in %d commits", len(f.metas), n, f.commits)
	}
	if got, err := s.load(strangerOf(0)); err != nil || got.Sent != (Place{7, event.ID{7}}) {
		t.Errorf("%+v, %v", got, err)
	}
	s.keepAll()
	if f.commits != 3 {
		t.Error("what did not change is kept again")
	}
}

// owing returns a pair with a stream that owes acknowledgements of batches.
func owing(batches []*event.Batch) (*Pair, *link, *shelf) {
	s, f := shelved(1)
	p := s.pairs[strangerOf(0)]
	p.link = &link{p: p, wake: make(chan struct{}, 1)}
	for _, b := range batches {
		p.owe(b)
	}
	return p, p.link, f
}

// What follows on a gap is acknowledged when no parent is missing, at most so
// many of it, and nothing changes while it waits. The disk is not read under the
// pair's lock.
func TestAcknowledgementsWaitForAGap(t *testing.T) {
	all := chain(t, 2*maxOwed+20, 1)
	var gaps []*event.Batch // every second one: none follows on the one before
	for i := 1; i < len(all); i += 2 {
		gaps = append(gaps, all[i])
	}
	p, l, f := owing(gaps)
	if len(p.owed) != maxOwed {
		t.Errorf("%d wait", len(p.owed))
	}
	f.missing = func() []event.ID {
		if !p.mu.TryLock() {
			t.Error("the disk is read under the lock")
			return nil
		}
		defer p.mu.Unlock()
		p.owed = append(p.owed, owed{end(all[2]), end(all[3])}) // comes meanwhile
		return []event.ID{{1}}
	}
	if acks, err := p.due(l); acks != nil || err != nil || p.dirty || len(p.owed) != maxOwed {
		t.Errorf("with a gap: %v, %v, changed %v, %d wait", acks, err, p.dirty, len(p.owed))
	}
	f.missing = nil
	if acks, err := p.due(nil); acks != nil || err != nil {
		t.Errorf("a stream that was given up acknowledges %v, %v", acks, err)
	}
	acks, err := p.due(l)
	if len(acks) != maxOwed || err != nil || !p.dirty || p.rec.Held != end(gaps[maxOwed-1]) {
		t.Errorf("%d acknowledgements, %v; held is %v", len(acks), err, p.rec.Held)
	}
}

// One ack stands for what follows on each other, and the disk is not asked.
func TestOneAcknowledgementForMany(t *testing.T) {
	all := chain(t, 50, 3)
	p, l, f := owing(all)
	f.missing = func() []event.ID { t.Error("the disk is read"); return nil }
	if acks, err := p.due(l); err != nil || len(acks) != 1 || acks[0] != end(all[49]) {
		t.Errorf("%v, %v", acks, err)
	}
}

// Only what is stored counts towards the bound of who was never answered, not
// what comes again.
func TestWhatComesAgainWeighsNothing(t *testing.T) {
	b := chain(t, 1, 1)[0]
	p, _, _ := owing(nil)
	p.s.byLog[b.Log()] = p
	p.s.Stored(b)
	p.owe(b)
	if p.rec.Bytes != uint64(len(b.Payload())) {
		t.Errorf("%d bytes for a batch of %d", p.rec.Bytes, len(b.Payload()))
	}
}
