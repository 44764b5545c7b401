package eventlog

import (
	"bytes"
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// tally is what the payloads of a log add up to: the judge of every record
// that is kept beside them. It needs little memory, whatever the log's size.
type tally struct {
	no       uint32
	rec      logRec
	payloads int
	authors  map[event.Author]*authorRec
	windows  map[windowKey]*windowRec
	sums     map[uint64]*sums
	heads    map[event.ID]event.HLC
	missing  map[event.ID]bool
	hasChild map[event.ID]bool // stored, perhaps not met yet, and named as parent
	control  [][]byte          // keys
}

// tallyLog walks a log. visit, which may be nil, is called with every event
// that counts.
func (s *Store) tallyLog(ctx context.Context, txn *badger.Txn, no uint32, visit func(p *stored, place int) error) (*tally, error) {
	t := &tally{
		no:       no,
		authors:  make(map[event.Author]*authorRec),
		windows:  make(map[windowKey]*windowRec),
		sums:     make(map[uint64]*sums),
		heads:    make(map[event.ID]event.HLC),
		missing:  make(map[event.ID]bool),
		hasChild: make(map[event.ID]bool),
	}
	err := scan(txn, inLog(spaceTime, no), func(key, val []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := s.timed(txn, key, val)
		if err != nil {
			return err
		}
		return t.addPayload(txn, &p, visit)
	})
	return t, err
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

func (t *tally) addPayload(txn *badger.Txn, p *stored, visit func(p *stored, place int) error) error {
	t.payloads++
	t.rec.id = p.batch.Log()
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
	b := t.sums[bucketOf(e.HLC)]
	if b == nil {
		b = new(sums)
		t.sums[bucketOf(e.HLC)] = b
	}
	b.add(&e.ID)
	t.addSeq(e)
	for j := range e.Parents {
		if err := t.addParent(txn, &e.Parents[j]); err != nil {
			return err
		}
	}
	if t.hasChild[e.ID] {
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
	at := int(e.Seq % windowSeqs)
	if w.seqs.has(at) {
		t.rec.forks++
		w.forks.set(at)
	}
	w.seqs.set(at)
}

func (t *tally) addParent(txn *badger.Txn, p *event.ID) error {
	if _, ok := t.heads[*p]; ok {
		delete(t.heads, *p)
		return nil
	}
	ok, err := storedIn(txn, p, t.no)
	if ok {
		t.hasChild[*p] = true
	} else {
		t.missing[*p] = true
	}
	return err
}

// records returns every record that has to stand beside the payloads.
func (t *tally) records() map[string][]byte {
	out := make(map[string][]byte)
	if t.rec.count > 0 {
		out[string(logKey(t.no))] = t.rec.appendTo(nil)
	}
	for id, a := range t.authors {
		out[string(appendIDKey(nil, spaceAuthor, t.no, (*[32]byte)(&id)))] = a.appendTo(nil)
	}
	for k, w := range t.windows {
		out[string(appendSeqsKey(nil, t.no, &k.author, k.window))] = w.appendTo(nil)
	}
	for bucket, x := range t.sums {
		out[string(appendSumsKey(nil, t.no, bucket))] = x.appendTo(nil)
	}
	for id, hlc := range t.heads {
		out[string(appendIDKey(nil, spaceHead, t.no, (*[32]byte)(&id)))] = appendHLC(nil, hlc)
	}
	for id := range t.missing {
		out[string(appendIDKey(nil, spaceMissing, t.no, (*[32]byte)(&id)))] = nil
	}
	for _, key := range t.control {
		out[string(key)] = nil
	}
	return out
}

// diff calls fn with every record of the log that differs from what the tally
// says; have or want is false where there is none.
func (t *tally) diff(txn *badger.Txn, fn func(key, want []byte, have, wanted bool) error) error {
	want := t.records()
	for _, space := range []byte{spaceLog, spaceAuthor, spaceSeqs, spaceSums, spaceHead, spaceMissing, spaceControl} {
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
		if err := fn([]byte(key), w, false, true); err != nil {
			return err
		}
	}
	return nil
}
