package eventlog

import (
	"errors"
	"slices"

	"github.com/parley-chat/parley/internal/event"
)

// adding is one batch on its way into a group.
type adding struct {
	*group
	log     *logState
	limit   *limit // of what the author can add, nil: none
	author  *held[authorRec]
	windows [2]*held[windowRec] // of the first event's seq, and of the last one's
	batch   *event.Batch
	res     *Appended

	isNew  bitmap
	forked bitmap
	filled map[int]indexRec // stored without the content that came now: where
	erased []int            // erased here before: the content that came now is not stored
	fresh  int              // how many are new or filled
}

// readAuthor reads what is stored of the batch's author.
func (a *adding) readAuthor() (err error) {
	k := authorKey{a.log.no, a.batch.Author()}
	if a.author, err = a.group.author(k); err != nil {
		return err
	}
	first, last := a.batch.Events[0].Seq, a.batch.Events[len(a.batch.Events)-1].Seq
	for i, seq := range []uint64{first, last} {
		if a.windows[i], err = a.window(windowKey{k, seq / windowSeqs}); err != nil {
			return err
		}
	}
	return nil
}

// seqs returns the record that has a seq of the batch, and its place in it.
func (a *adding) seqs(seq uint64) (*held[windowRec], int) {
	i := 0
	if seq/windowSeqs != a.batch.Events[0].Seq/windowSeqs {
		i = 1
	}
	return a.windows[i], int(seq % windowSeqs)
}

// findNew says which events are not stored. An event whose seq is not stored of
// its author is new without looking for it: that is the usual case.
func (a *adding) findNew() error {
	a.res.New = make([]bool, len(a.batch.Events))
	for i := range a.batch.Events {
		if err := a.find(i); err != nil {
			return err
		}
		if a.res.New[i] {
			a.fresh++
		}
	}
	return nil
}

func (a *adding) find(i int) error {
	e := &a.batch.Events[i]
	if a.limit != nil && !a.limit.lets(e) {
		return a.refuse(i)
	}
	below := secondOf(e.HLC) < a.log.rec.floor
	if below {
		a.res.Below = append(a.res.Below, i)
		a.settle(a.log, &e.ID)
	}
	var rec indexRec
	var found bool
	w, at := a.seqs(e.Seq)
	used := w.rec.seqs.has(at)
	if used || a.log.rec.bare {
		var err error
		if rec, found, err = a.index(&e.ID); err != nil {
			return err
		}
	}
	switch {
	case found && rec.gone: // below the floor too: its content must not come back
		a.erased = append(a.erased, i)
	case below:
	case found && rec.erased && e.Content != nil:
		a.fill(i, rec)
	case !found:
		if rec.cut {
			a.erased = append(a.erased, i)
		}
		if used {
			a.forked.set(i)
			a.res.Forks = append(a.res.Forks, i)
		}
		a.isNew.set(i)
		a.res.New[i] = true
	}
	return nil
}

// refuse leaves event i out, which is cut. What it is a parent of does not wait for it, and a content
// that was erased must not come back beside others.
func (a *adding) refuse(i int) error {
	e := &a.batch.Events[i]
	a.res.Cut = append(a.res.Cut, i)
	a.settle(a.log, &e.ID)
	a.s.refused.add(e.ID)
	if !a.log.rec.bare {
		return nil
	}
	rec, _, err := a.index(&e.ID)
	if rec.gone {
		a.erased = append(a.erased, i)
	}
	return err
}

// fill notes that event i is stored without the content with which it comes now.
func (a *adding) fill(i int, rec indexRec) {
	if a.filled == nil {
		a.filled = make(map[int]indexRec)
	}
	a.filled[i], a.alone = rec, true
	a.res.New[i] = true
}

// fits keeps others from growing a log's loose ends without end: it refuses a
// batch that adds to what is over its bound already, the log's or the author's. Who
// closes gaps and continues from heads is never refused: what comes oldest first.
func (a *adding) fits() (bool, error) {
	p := &a.s.profile
	heads, missing := len(a.log.heads) < p.looseEnds, len(a.log.missing) < p.looseEnds
	own := a.log.loose[a.batch.Author()] < p.looseOfOne
	if heads && missing && own {
		return true, nil
	}
	h, m, err := a.looseEnds()
	return err == nil && (h <= 0 || heads) && (m <= 0 || missing) && (h+m <= 0 || own), err
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
		} else if !a.followed(i) {
			heads++
		}
		for j := range e.Parents {
			where, err := a.parent(i, &e.Parents[j])
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

// leaveErased takes contents out of the batch that were erased here before.
func (a *adding) leaveErased() (err error) {
	for _, i := range a.erased {
		if a.batch.Events[i].Content == nil {
			continue
		}
		if a.batch, err = withoutContent(a.batch, i); err != nil {
			return err
		}
	}
	return nil
}

// store puts the batch into the transaction and its events into the records.
func (a *adding) store() error {
	if err := a.leaveErased(); err != nil {
		return err
	}
	a.touch(a.log)
	arrival := a.takeArrivals(len(a.batch.Events))
	a.res.Arrival = arrival
	counts := a.isNew
	for i := range a.batch.Events {
		if !a.res.New[i] {
			continue
		}
		counts.set(i)
		if err := a.storeEvent(arrival, i); err != nil {
			return err
		}
		a.newest = arrival + uint64(i)
	}
	a.forks += len(a.res.Forks)
	a.stored = append(a.stored, stored{arrival, a.batch, counts})
	return a.storePayload(arrival, counts)
}

func (a *adding) storePayload(arrival uint64, counts bitmap) error {
	events := a.batch.Events
	first, last := events[0].HLC, events[len(events)-1].HLC
	rec := timeRec{span: uint64(last - first), count: len(events), counts: counts}
	if err := a.setRecord(appendTimeKey(nil, a.log.no, first, arrival), &rec); err != nil {
		return err
	}
	a.log.rec.bytes += uint64(len(a.batch.Payload()))
	a.s.pages.touched.Add(int64(len(a.batch.Payload())))
	return a.set(appendPayloadKey(nil, arrival), a.batch.Payload())
}

func (a *adding) storeEvent(arrival uint64, i int) error {
	e := &a.batch.Events[i]
	if err := a.indexEvent(e, arrival, i); err != nil {
		return err
	}
	if e.Expiry > 0 && e.Content != nil {
		if err := a.set(appendExpiryKey(nil, e.Expiry, &e.ID), nil); err != nil {
			return err
		}
	}
	if old, ok := a.filled[i]; ok {
		return a.uncount(old)
	}
	if e.Kind != event.KindMessage {
		if err := a.set(appendControlKey(nil, a.log.no, e.HLC, &e.ID), nil); err != nil {
			return err
		}
	}
	return a.derive(i)
}

// derive takes new event i into what follows from payloads.
func (a *adding) derive(i int) error {
	e := &a.batch.Events[i]
	for j := range e.Parents {
		if err := a.linkParent(i, &e.Parents[j]); err != nil {
			return err
		}
	}
	a.countIn(e, a.forked.has(i))
	a.linkChildren(i)
	return nil
}

// indexEvent notes where event i is. One that has a record of its own keeps it.
func (a *adding) indexEvent(e *event.Event, arrival uint64, i int) error {
	p := spot{arrival + uint64(i), a.log.no, uint8(i)}
	if _, ok := a.filled[i]; !ok && e.Content != nil {
		a.ids[a.s.ids.shorten(&e.ID)] = p
		return nil
	}
	rec := p.rec()
	rec.erased = e.Content == nil
	rec.gone = rec.erased && slices.Contains(a.erased, i)
	return a.setIndex(&e.ID, rec)
}

// uncount makes an event not count any more where it is stored erased.
func (a *adding) uncount(old indexRec) error {
	p, err := a.s.payload(a.txn, old.payload())
	if err != nil {
		return err
	}
	key := appendTimeKey(nil, a.log.no, p.batch.Events[0].HLC, p.arrival)
	rec, found, err := getRecord(a.txn, key, decodeTimeRec)
	if err != nil || !found {
		return errors.Join(errValue, err)
	}
	rec.counts.clear(old.place)
	a.moved = append(a.moved, old)
	return a.setRecord(key, &rec)
}

// countIn adds an event to its author's records, its log's and the fingerprint.
func (a *adding) countIn(e *event.Event, fork bool) {
	a.events++
	a.log.rec.count++
	w, at := a.seqs(e.Seq)
	w.rec.seqs.set(at)
	w.changed = true
	if fork {
		a.log.rec.forks++
		w.rec.forks.set(at)
	}
	a.author.rec.add(e)
	a.author.changed = true
	a.sums.at(a.log.no, e.HLC).Add((*[32]byte)(&e.ID))
}

// linkParent takes a parent of new event i from the heads, or notes that it is
// missing.
func (a *adding) linkParent(i int, p *event.ID) error {
	where, err := a.parent(i, p)
	if err != nil {
		return err
	}
	switch where {
	case isHead:
		h := a.log.heads[*p]
		delete(a.log.heads, *p)
		a.log.tighten(h.by)
		if h.stored {
			a.dropEnd(a.log, spaceHead, p)
		}
	case notStored:
		a.noteMissing(p, secondOf(a.batch.Events[i].HLC))
		if a.s.cuts.Load() != nil && a.s.refused.has(*p) {
			a.settle(a.log, p)
		}
		if !a.log.missing[*p].rec.settled && !slices.Contains(a.res.Missing, *p) {
			a.res.Missing = append(a.res.Missing, *p)
		}
	}
	return nil
}

// noteMissing notes that an event of some second names a parent that is missing.
func (a *adding) noteMissing(p *event.ID, second uint64) {
	m := a.log.missing[*p]
	if m == nil {
		m = &missing{by: a.batch.Author()}
		a.log.missing[*p] = m
		a.log.loosen(m.by)
	} else if m.rec.second >= second {
		return
	}
	m.rec.second, m.changed = max(second, 1), true
	pending := &a.s.writer.pending
	pending.missing = append(pending.missing, idInLog{a.log, *p})
}

// linkChildren makes new event i a head unless a child of it is stored, as its
// being missing tells, or follows in the batch.
func (a *adding) linkChildren(i int) {
	id := a.batch.Events[i].ID
	if m := a.log.missing[id]; m != nil {
		delete(a.log.missing, id)
		a.log.tighten(m.by)
		if m.stored {
			a.dropEnd(a.log, spaceMissing, &id)
		}
		if m.rec.second > 0 { // a child of it is stored
			return
		}
	}
	if a.followed(i) {
		return
	}
	a.log.heads[id] = &head{hlc: a.batch.Events[i].HLC, by: a.batch.Author()}
	a.log.loosen(a.batch.Author())
	pending := &a.s.writer.pending
	pending.heads = append(pending.heads, idInLog{a.log, id})
}

// followed reports whether the batch goes on behind event i, which the next one names as parent. What
// is cut of a batch is its end.
func (a *adding) followed(i int) bool {
	i++
	return i < len(a.batch.Events) && (a.limit == nil || a.limit.lets(&a.batch.Events[i]))
}

// where a parent is.
type where uint8

const (
	hasChild  where = iota // stored and no head any more, or in this batch
	isHead                 // stored, without a child until now
	notStored              // missing
)

// parent says where a parent of event i is.
func (a *adding) parent(i int, p *event.ID) (where, error) {
	if i > 0 && a.batch.Events[i-1].ID == *p && a.isNew.has(i-1) {
		return hasChild, nil
	}
	if a.log.heads[*p] != nil {
		return isHead, nil
	}
	if _, ok := a.log.missing[*p]; ok {
		return notStored, nil
	}
	if a.author.rec.last == *p {
		return hasChild, nil
	}
	stored, err := a.storedIn(p, a.log.no)
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
