package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// tally is what the payloads of a log add up to: the judge of every record
// that is kept beside them. What it holds grows with authors, control events and
// loose ends, not with messages.
type tally struct {
	s        *Store
	no       uint32
	rec      logRec
	payloads int
	authors  map[event.Author]*authorRec
	windows  map[windowKey]*windowRec
	deleted  bool              // retention deleted events
	ends     map[event.ID]bool // of authors' chains, deleted or lost
	heads    map[event.ID]event.HLC
	missing  map[event.ID]uint64 // newest second of those that name it
	hasChild map[event.ID]bool   // stored, perhaps not met yet, and named as parent
	since    uint64              // payloads numbered from here on were in no record
	late     map[event.ID]bool   // above a floor: events of these, and parents that they name
	control  [][]byte            // keys

	sums   *summing // nil: they are not looked at
	stored *storedSums
}

// differs is told of a record of a log that is not what the payloads add up to;
// have or wanted is false where there is none.
type differs func(key, want []byte, have, wanted bool) error

// tallyLog walks a log, calls visit, which may be nil, with every event that
// counts, and fn with every record that differs. In a log with a floor heads and missing parents
// that are not there are told of only if payloads numbered from since on make them: of others nobody
// can say.
func (s *Store) tallyLog(ctx context.Context, txn *badger.Txn, no uint32, since uint64, visit func(p *stored, place int) error, fn differs) (*tally, error) {
	t := newTally(s, no, since)
	t.stored = newStoredSums(txn, no, fn)
	defer t.stored.close()
	t.sums = newSumming(no, t.stored.compare)
	if err := t.begin(txn); err != nil {
		return t, err
	}
	err := s.walkLog(ctx, txn, no, func(p *stored) error {
		if err := t.sums.pass(secondOf(p.batch.Events[0].HLC)); err != nil {
			return err
		}
		return t.addPayload(txn, p, visit)
	})
	if err != nil {
		return t, err
	}
	if err := t.sums.end(); err != nil {
		return t, err
	}
	if err := t.stored.end(); err != nil {
		return t, err
	}
	return t, t.diff(txn, fn)
}

func newTally(s *Store, no uint32, since uint64) *tally {
	return &tally{
		s:        s,
		no:       no,
		authors:  make(map[event.Author]*authorRec),
		windows:  make(map[windowKey]*windowRec),
		heads:    make(map[event.ID]event.HLC),
		missing:  make(map[event.ID]uint64),
		hasChild: make(map[event.ID]bool),
		since:    since,
		late:     make(map[event.ID]bool),
		ends:     make(map[event.ID]bool),
	}
}

// walkLog calls fn with the payloads of a log in the order of their first hlc.
func (s *Store) walkLog(ctx context.Context, txn *badger.Txn, no uint32, fn func(p *stored) error) error {
	return scan(txn, inLog(spaceTime, no), func(key, val []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := s.timed(txn, key, val)
		if err != nil {
			return err
		}
		return fn(&p)
	})
}

// timed reads the payload of a time record and compares the two.
func (s *Store) timed(txn *badger.Txn, key, val []byte) (stored, error) {
	if len(key) != timeKeyLen {
		return stored{}, errValue
	}
	_, first, arrival := parseTimeKey(key)
	rec, err := decodeTimeRec(val)
	if err != nil {
		return stored{}, err
	}
	p, err := s.payload(txn, arrival)
	if err != nil {
		return stored{}, err
	}
	events := p.batch.Events
	if rec.count != len(events) || first != events[0].HLC || first+event.HLC(rec.span) != events[len(events)-1].HLC {
		return stored{}, fmt.Errorf("time record of payload %d does not match it", arrival)
	}
	p.counts = rec.counts
	return p, nil
}

// begin takes in what no payload tells: the floor, and the seqs that retention
// deleted.
func (t *tally) begin(txn *badger.Txn) error {
	rec, _, err := getRecord(txn, logKey(t.no), decodeLogRec)
	if err != nil {
		return err
	}
	t.rec.id, t.rec.floor = rec.id, rec.floor
	t.rec.cut, t.rec.stale, t.rec.bare = rec.cut, rec.stale, rec.bare
	return scan(txn, inLog(spaceDeleted, t.no), func(key, val []byte) error {
		switch len(key) {
		case idKeyLen:
			a, err := decodeAuthorRec(val)
			t.ends[a.last] = true
			t.authors[event.Author(key[5:])] = &a
			return err
		case seqsKeyLen:
			t.deleted = true
			w, err := decodeWindowRec(val)
			k := authorKey{t.no, event.Author(key[5:idKeyLen])}
			t.windows[windowKey{k, binary.BigEndian.Uint64(key[idKeyLen:])}] = &w
			return err
		}
		return errValue
	})
}

func (t *tally) addPayload(txn *badger.Txn, p *stored, visit func(p *stored, place int) error) error {
	t.payloads++
	t.rec.id = p.batch.Log()
	t.rec.bytes += uint64(len(p.batch.Payload()))
	for i := range p.batch.Events {
		if !p.counts.has(i) {
			continue
		}
		if visit != nil {
			if err := visit(p, i); err != nil {
				return err
			}
		}
		if err := t.addEvent(txn, p, i); err != nil {
			return err
		}
	}
	return nil
}

func (t *tally) addEvent(txn *badger.Txn, p *stored, i int) error {
	e := &p.batch.Events[i]
	t.rec.count++
	if e.Kind != event.KindMessage {
		t.control = append(t.control, appendControlKey(nil, t.no, e.HLC, &e.ID))
	}
	if t.sums != nil {
		t.sums.add(e)
	}
	t.addSeq(e)
	late := t.rec.floor > 0 && p.arrival >= t.since
	for j := range e.Parents {
		if err := t.addParent(txn, &e.Parents[j], secondOf(e.HLC)); err != nil {
			return err
		}
		if late {
			t.late[e.Parents[j]] = true
		}
	}
	if late {
		t.late[e.ID] = true
	}
	_, awaited := t.missing[e.ID] // it came after the walk
	delete(t.missing, e.ID)
	if t.hasChild[e.ID] || awaited {
		delete(t.hasChild, e.ID)
	} else {
		t.heads[e.ID] = e.HLC
	}
	return nil
}

func (t *tally) addSeq(e *event.Event) {
	a := t.authors[e.Author]
	if a == nil {
		a = new(authorRec)
		t.authors[e.Author] = a
	}
	a.add(e)
	k := windowKey{authorKey{t.no, e.Author}, e.Seq / windowSeqs}
	w := t.windows[k]
	if w == nil {
		w = new(windowRec)
		t.windows[k] = w
	}
	if w.add(e.Seq) {
		t.rec.forks++
	}
}

// addParent notes that an event of some second names a parent. What lies below
// the floor makes no difference: it may be gone.
func (t *tally) addParent(txn *badger.Txn, p *event.ID, second uint64) error {
	if second < t.rec.floor {
		return nil
	}
	if _, ok := t.heads[*p]; ok {
		delete(t.heads, *p)
		return nil
	}
	rec, ok, err := t.s.index(txn, p)
	if ok && rec.log == t.no {
		t.hasChild[*p] = true
	} else {
		t.missing[*p] = max(t.missing[*p], second, 1)
	}
	return err
}

// records returns the records that have to stand beside the payloads, but for
// the sums and what is missing.
func (t *tally) records() map[string][]byte {
	out := make(map[string][]byte)
	if t.rec.count > 0 || t.rec.thinned() || len(t.authors) > 0 {
		out[string(logKey(t.no))] = t.rec.appendTo(nil)
	}
	for id, a := range t.authors {
		out[string(appendIDKey(nil, spaceAuthor, t.no, (*[32]byte)(&id)))] = a.appendTo(nil)
	}
	for k, w := range t.windows {
		out[string(appendWindowKey(nil, spaceSeqs, k))] = w.appendTo(nil)
	}
	for id, hlc := range t.heads {
		out[string(appendIDKey(nil, spaceHead, t.no, (*[32]byte)(&id)))] = appendHLC(nil, hlc)
	}
	for _, key := range t.control {
		out[string(key)] = nil
	}
	return out
}

func (t *tally) diff(txn *badger.Txn, fn differs) error {
	want := t.records()
	for _, space := range []byte{spaceLog, spaceAuthor, spaceSeqs, spaceHead, spaceControl} {
		err := scan(txn, inLog(space, t.no), func(key, val []byte) error {
			w, ok := want[string(key)]
			delete(want, string(key))
			if ok && bytes.Equal(w, val) {
				return nil
			}
			return fn(bytes.Clone(key), w, true, ok)
		})
		if err != nil {
			return err
		}
	}
	for key, w := range want {
		if t.rec.floor > 0 && key[0] == spaceHead && !t.late[event.ID([]byte(key[5:]))] { // with a child below the floor it is none, or was none
			continue
		}
		if err := fn([]byte(key), w, false, true); err != nil {
			return err
		}
	}
	return t.diffMissing(txn, fn)
}

// diffMissing compares the missing parents. When events were deleted, a parent
// that is not there may be one of them, and the last child of one that is
// noted too: then nothing is wrong with it.
func (t *tally) diffMissing(txn *badger.Txn, fn differs) error {
	err := scan(txn, inLog(spaceMissing, t.no), func(key, val []byte) error {
		rec, err := decodeMissingRec(val)
		if err != nil || len(key) != idKeyLen {
			return errValue
		}
		id := event.ID(key[5:])
		second, ok := t.missing[id]
		delete(t.missing, id)
		if ok && len(val) > 0 && t.names(rec.second, second) || t.rec.floor > 0 && rec.second < t.rec.floor || rec.second == 0 && t.ends[id] {
			return nil
		}
		rec.second = second
		return fn(bytes.Clone(key), rec.appendTo(nil), true, ok)
	})
	if err != nil {
		return err
	}
	for id, second := range t.missing {
		if t.rec.floor > 0 && (!t.late[id] || t.ends[id]) {
			continue
		}
		rec := missingRec{second: second}
		if err := fn(appendIDKey(nil, spaceMissing, t.no, (*[32]byte)(&id)), rec.appendTo(nil), false, true); err != nil {
			return err
		}
	}
	return nil
}

// names says whether a record of a missing parent may have a second when the newest
// that names it is of another: one that was deleted knows only of those that came since.
func (t *tally) names(recorded, newest uint64) bool {
	return recorded == newest || t.rec.floor > 0 && recorded < newest
}
