package eventlog

import (
	"cmp"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// Entry is a stored event.
type Entry struct {
	Arrival uint64      // its number in the order in which this node stored things
	Event   event.Event // must not be changed
	Fork    bool        // another event has the same log, author and seq
}

// Position returns the event's place in the order of History.
func (e *Entry) Position() Position { return Position{e.Event.HLC, e.Event.ID} }

// Position is a place in a log's order, which is by (hlc, id).
type Position struct {
	HLC event.HLC
	ID  event.ID
}

// Compare orders positions.
func (p Position) Compare(o Position) int {
	if c := cmp.Compare(p.HLC, o.HLC); c != 0 {
		return c
	}
	return p.ID.Compare(o.ID)
}

// Get returns a stored event, false if it is not stored.
func (s *Store) Get(id event.ID) (Entry, bool, error) {
	var e Entry
	found := false
	err := s.view(func(txn *badger.Txn) error {
		p, place, err := s.locate(txn, id)
		if err != nil || p.batch == nil {
			return err
		}
		found = true
		f := forks{s: s, txn: txn}
		e, err = f.entry(&p, place)
		return err
	})
	return e, found, err
}

// Has reports whether an event is stored.
func (s *Store) Has(id event.ID) (bool, error) {
	found := false
	err := s.view(func(txn *badger.Txn) error {
		var err error
		_, found, err = s.index(txn, &id)
		return err
	})
	return found, err
}

// Batch returns the stored payload that an event is in, decoded, false if the
// event is not stored. It is shared with other readers and must not be changed.
func (s *Store) Batch(id event.ID) (b *event.Batch, found bool, err error) {
	err = s.view(func(txn *badger.Txn) error {
		p, _, err := s.locate(txn, id)
		b, found = p.batch, p.batch != nil
		return err
	})
	return b, found, err
}

// view reads badger: it keeps it open meanwhile, and gives errors their code.
// badger panics on some damaged blocks: that is an error too.
func (s *Store) view(fn func(txn *badger.Txn) error) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return readFault(guard(func() error { return s.db.View(fn) }))
}

// guard turns a panic of badger into an error.
func guard(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = ErrCorrupt.With(fmt.Errorf("badger: %v", r))
		}
	}()
	return fn()
}

// locate finds the payload of an event and the event's place in it; without a
// batch if it is not stored. counts is not filled in.
func (s *Store) locate(txn *badger.Txn, id event.ID) (p stored, place int, err error) {
	rec, found, err := s.index(txn, &id)
	if err != nil || !found {
		return p, 0, err
	}
	p, err = s.payload(txn, rec.payload())
	if err == nil && (rec.place >= len(p.batch.Events) || p.batch.Events[rec.place].ID != id) {
		err = fmt.Errorf("event %v is not at its place %d", id, rec.arrival)
	}
	if err != nil {
		return stored{}, 0, err
	}
	return p, rec.place, nil
}

// payload returns the decoded payload that begins with an arrival number.
// counts is filled in only if it was at hand.
func (s *Store) payload(txn *badger.Txn, arrival uint64) (stored, error) {
	if p, ok := s.recent.get(arrival); ok {
		return p, nil
	}
	var key [9]byte
	val, err := get(txn, appendPayloadKey(key[:0], arrival))
	if err != nil {
		return stored{}, err
	}
	if val == nil {
		return stored{}, fmt.Errorf("payload %d is not there", arrival)
	}
	return s.decode(arrival, val)
}

// decode decodes what is stored of a payload; counts are not filled in.
func (s *Store) decode(arrival uint64, val []byte) (stored, error) {
	b, err := event.Decode(val)
	if err != nil {
		return stored{}, fmt.Errorf("payload %d: %w", arrival, err)
	}
	s.decoded.Add(uint64(len(b.Events)))
	s.pages.touched.Add(int64(len(val)))
	return stored{arrival: arrival, batch: b}, nil
}

// counting returns a payload with its counts filled in.
func (s *Store) counting(txn *badger.Txn, p stored) (stored, error) {
	no, _ := s.logs.number(p.batch.Log())
	return countingIn(txn, p, no)
}

// countingIn is counting for who knows the number of the log, or holds its lock.
func countingIn(txn *badger.Txn, p stored, no uint32) (stored, error) {
	var key [timeKeyLen]byte
	rec, _, err := getRecord(txn, appendTimeKey(key[:0], no, p.batch.Events[0].HLC, p.arrival), decodeTimeRec)
	if err == nil && rec.count != len(p.batch.Events) {
		err = fmt.Errorf("payload %d has %d events, not %d", p.arrival, len(p.batch.Events), rec.count)
	}
	p.counts = rec.counts
	return p, err
}

// forks makes entries: it looks up which events have a rival, and remembers
// that of the windows it met.
type forks struct {
	s     *Store
	txn   *badger.Txn
	known map[windowKey]bitmap
}

func (f *forks) entry(p *stored, place int) (Entry, error) {
	e := Entry{Arrival: p.arrival + uint64(place), Event: p.batch.Events[place]}
	no, any := f.s.logs.number(e.Event.Log)
	if !any {
		return e, nil
	}
	k := windowKey{authorKey{no, e.Event.Author}, e.Event.Seq / windowSeqs}
	m, ok := f.known[k]
	if !ok {
		rec, err := f.s.windowRec(f.txn, k)
		if err != nil {
			return e, err
		}
		if f.known == nil {
			f.known = make(map[windowKey]bitmap)
		}
		m = rec.forks
		f.known[k] = m
	}
	e.Fork = m.has(int(e.Event.Seq % windowSeqs))
	return e, nil
}
