package eventlog

import (
	"slices"

	"github.com/parley-chat/parley/internal/event"
)

// adding is one batch on its way into a group.
type adding struct {
	*group
	log    *logState
	author *authorRec
	batch  *event.Batch
	res    *Appended

	isNew  bitmap
	forked bitmap
	fresh  int // how many are new
}

// findNew says which events are not stored. An event whose seq is not in its
// author's runs is new without looking for it: that is the usual case.
func (a *adding) findNew() error {
	a.res.New = make([]bool, len(a.batch.Events))
	for i := range a.batch.Events {
		e := &a.batch.Events[i]
		if a.author.seqs.has(e.Seq) {
			stored, err := a.isStored(&e.ID)
			if err != nil {
				return err
			}
			if stored {
				continue
			}
			a.forked.set(i)
			a.res.Forks = append(a.res.Forks, i)
		}
		a.isNew.set(i)
		a.res.New[i] = true
		a.fresh++
	}
	return nil
}

// isStored reports whether an event is stored in this log.
func (a *adding) isStored(id *event.ID) (bool, error) {
	return storedIn(a.txn, id, a.log.no)
}

// fits keeps one author from growing records without end: it refuses a batch
// that adds to what is over its bound already. Who closes gaps and continues
// from heads is never refused.
func (a *adding) fits() (bool, error) {
	bound := &a.s.profile
	first, last := a.batch.Events[0].Seq, a.batch.Events[len(a.batch.Events)-1].Seq
	if len(a.author.seqs) >= bound.runs && !a.author.seqs.touches(first, last) {
		return false, nil
	}
	if len(a.author.forks) >= bound.runs && len(a.res.Forks) > 0 {
		return false, nil
	}
	if len(a.log.heads) < bound.looseEnds && len(a.log.missing) < bound.looseEnds {
		return true, nil
	}
	heads, missing, err := a.looseEnds()
	if err != nil {
		return false, err
	}
	return (heads <= 0 || len(a.log.heads) < bound.looseEnds) && (missing <= 0 || len(a.log.missing) < bound.looseEnds), nil
}

// looseEnds says by how much the batch would change the numbers of heads and
// of missing parents, counting a parent twice if it is named twice.
func (a *adding) looseEnds() (heads, missing int, err error) {
	for i := range a.batch.Events {
		e := &a.batch.Events[i]
		if !a.isNew.has(i) {
			continue
		}
		if _, ok := a.log.missing[e.ID]; ok {
			missing--
		} else if i == len(a.batch.Events)-1 {
			heads++
		}
		for j := range e.Parents {
			where, err := a.find(i, &e.Parents[j])
			if err != nil {
				return 0, 0, err
			}
			switch where {
			case isHead:
				heads--
			case notStored:
				missing++
			}
		}
	}
	return heads, missing, nil
}

// store puts the batch into the transaction and its events into the records.
func (a *adding) store() error {
	a.touch(a.log, a.author, a.batch.Author())
	arrival := a.takeArrivals(len(a.batch.Events))
	a.res.Arrival = arrival
	for i := range a.batch.Events {
		if !a.isNew.has(i) {
			continue
		}
		if err := a.storeEvent(arrival, i); err != nil {
			return err
		}
		a.newest = arrival + uint64(i)
	}
	a.events += a.fresh
	a.forks += len(a.res.Forks)
	a.stored = append(a.stored, stored{arrival, a.batch, a.isNew})
	return a.storePayload(arrival)
}

func (a *adding) storePayload(arrival uint64) error {
	events := a.batch.Events
	first, last := events[0].HLC, events[len(events)-1].HLC
	rec := timeRec{span: uint64(last - first), count: len(events), counts: a.isNew}
	if err := a.setRecord(appendTimeKey(nil, a.log.no, first, arrival), &rec); err != nil {
		return err
	}
	return a.set(appendPayloadKey(nil, arrival), a.batch.Payload())
}

func (a *adding) storeEvent(arrival uint64, i int) error {
	e := &a.batch.Events[i]
	if err := a.setIndex(&e.ID, indexRec{arrival + uint64(i), i, a.log.no}); err != nil {
		return err
	}
	if e.Kind != event.KindMessage {
		if err := a.set(appendControlKey(nil, a.log.no, e.HLC, &e.ID), nil); err != nil {
			return err
		}
	}
	for j := range e.Parents {
		if err := a.linkParent(i, &e.Parents[j]); err != nil {
			return err
		}
	}
	a.countIn(e, a.forked.has(i))
	return a.linkChildren(i)
}

// setIndex sets the one key an event has: without allocating.
func (a *adding) setIndex(id *event.ID, rec indexRec) error {
	b := &a.s.writer.slab
	start := len(b.bytes)
	b.bytes = appendIndexKey(b.bytes, id)
	end := len(b.bytes)
	b.bytes = rec.appendTo(b.bytes)
	return a.set(b.bytes[start:end:end], b.bytes[end:len(b.bytes):len(b.bytes)])
}

// countIn adds an event to its author's record, its log's and the fingerprint.
func (a *adding) countIn(e *event.Event, fork bool) {
	a.log.rec.count++
	if fork {
		a.log.rec.forks++
		a.author.forks = a.author.forks.add(e.Seq)
	}
	if e.Seq > a.author.seqs.max() {
		a.author.last = e.ID
	}
	a.author.seqs = a.author.seqs.add(e.Seq)
	k := sumsKey{a.log.no, bucketOf(e.HLC)}
	x := a.sums[k]
	if x == nil {
		x = new(sums)
		a.sums[k] = x
	}
	x.add(&e.ID)
}

// linkParent takes a parent of new event i from the heads, or notes that it is
// missing.
func (a *adding) linkParent(i int, p *event.ID) error {
	where, err := a.find(i, p)
	if err != nil {
		return err
	}
	switch where {
	case isHead:
		h := a.log.heads[*p]
		delete(a.log.heads, *p)
		if h.stored {
			return a.del(appendIDKey(nil, spaceHead, a.log.no, (*[32]byte)(p)))
		}
	case notStored:
		if !slices.Contains(a.res.Missing, *p) {
			a.res.Missing = append(a.res.Missing, *p)
		}
		if _, ok := a.log.missing[*p]; !ok {
			a.log.missing[*p] = false
			a.missing = append(a.missing, idInLog{a.log, *p})
		}
	}
	return nil
}

// linkChildren makes new event i a head unless a child of it is stored, as its
// being missing tells, or follows in the batch.
func (a *adding) linkChildren(i int) error {
	id := a.batch.Events[i].ID
	if onDisk, ok := a.log.missing[id]; ok {
		delete(a.log.missing, id)
		if onDisk {
			return a.del(appendIDKey(nil, spaceMissing, a.log.no, (*[32]byte)(&id)))
		}
		return nil
	}
	if i < len(a.batch.Events)-1 { // the next one of a batch names it as parent
		return nil
	}
	a.log.heads[id] = &head{hlc: a.batch.Events[i].HLC}
	a.heads = append(a.heads, idInLog{a.log, id})
	return nil
}

// where a parent is.
type where uint8

const (
	hasChild  where = iota // stored and no head any more, or in this batch
	isHead                 // stored, without a child until now
	notStored              // missing
)

// find says where a parent of event i is.
func (a *adding) find(i int, p *event.ID) (where, error) {
	if i > 0 && a.batch.Events[i-1].ID == *p && a.isNew.has(i-1) {
		return hasChild, nil
	}
	if a.log.heads[*p] != nil {
		return isHead, nil
	}
	if _, ok := a.log.missing[*p]; ok {
		return notStored, nil
	}
	if a.author.last == *p {
		return hasChild, nil
	}
	stored, err := a.isStored(p)
	if err != nil || stored {
		return hasChild, err
	}
	for j := range i {
		if a.batch.Events[j].ID == *p {
			return hasChild, nil
		}
	}
	return notStored, nil
}
