package eventlog

import (
	"encoding/binary"
	"time"
)

// A checkpoint writes all derived records in one transaction and notes from which arrival number on
// payloads are not in them. It comes with the commit that makes too many of them wait, with each that does more than
// add events, and else once a second, when what is not durable is synced, and at the end.

const (
	maxWaiting = 512     // derived records that may wait; badger's bound of a transaction leaves room for as many (maxGroupKeys)
	maxBehind  = 1 << 13 // arrival numbers that may: as many events are read again after a kill

	checkpointDelay = time.Second // between two that come by themselves
)

// pending is what a checkpoint has to write besides what derived has.
type pending struct {
	from    uint64 // what is numbered below is in the records on disk
	since   time.Time
	logs    []*logState
	heads   []idInLog // new, perhaps gone again
	missing []idInLog // new or changed, perhaps gone again
	gone    [][]byte  // keys of heads and missing parents that are none any more
}

// waiting is how many derived records are newer than the disk.
func (s *Store) waiting() int {
	p := &s.writer.pending
	return s.derived.waiting() + len(p.logs) + len(p.heads) + len(p.missing) + len(p.gone)
}

// waiting is how many will be when the group is committed, at most.
func (g *group) waiting() int {
	return g.s.waiting() + len(g.authors) + len(g.windows) + len(g.sums)
}

// due reports whether a group is a checkpoint too.
func (g *group) due() bool {
	w := &g.s.writer
	return g.alone || g.waiting() >= maxWaiting || w.next-w.pending.from >= maxBehind ||
		g.s.logs.heldTooMuch(g.s.profile.logsHeld, g.s.profile.endsHeld)
}

// flushDerived writes what follows from the payloads if that is due, else only which logs there are.
func (g *group) flushDerived() error {
	if err := g.mergeSums(); err != nil {
		return err
	}
	if !g.due() {
		return g.flushNewLogs()
	}
	if g.s.waiting() == 0 && len(g.sums) == 0 && !g.changesAuthors() {
		return nil
	}
	w := &g.s.writer
	if len(g.stored) == 0 && w.pending.from < w.next {
		g.durable = true // else, if a loss of power took it and left a later one, no missing payload would tell
	}
	g.checkpoint = true
	for _, step := range []func() error{g.flushEnds, g.flushSums, g.flushAuthors, g.flushWindows, g.flushLogs} {
		if err := step(); err != nil {
			return err
		}
	}
	w.pending = pending{from: w.next, since: time.Now()}
	return g.setRecord(keyDerived, &derivedRec{next: w.next})
}

func (g *group) changesAuthors() bool {
	for _, h := range g.authors {
		if h.changed {
			return true
		}
	}
	for _, h := range g.windows {
		if h.changed {
			return true
		}
	}
	return false
}

// flushNewLogs writes the records of new logs: payloads name them by their number. What is in them
// waits.
func (g *group) flushNewLogs() error {
	for _, l := range g.s.writer.pending.logs {
		if l.stored {
			continue
		}
		l.stored = true
		if err := g.setRecord(logKey(l.no), &logRec{id: l.rec.id}); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) flushLogs() error {
	for _, l := range g.s.writer.pending.logs {
		l.stored = true
		if err := g.setRecord(logKey(l.no), &l.rec); err != nil {
			return err
		}
	}
	return nil
}

// flushEnds writes heads and missing parents.
func (g *group) flushEnds() error {
	p := &g.s.writer.pending
	for _, key := range p.gone {
		if err := g.del(key); err != nil {
			return err
		}
	}
	for _, h := range p.heads {
		if err := g.flushHead(h); err != nil {
			return err
		}
	}
	for _, m := range p.missing {
		if err := g.flushMissing(m); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) flushHead(h idInLog) error {
	x := h.log.heads[h.id]
	if x == nil || x.stored {
		return nil
	}
	x.stored = true
	return g.set(appendIDKey(nil, spaceHead, h.log.no, &h.id), appendHLC(nil, x.hlc))
}

func (g *group) flushMissing(p idInLog) error {
	m := p.log.missing[p.id]
	if m == nil || !m.changed {
		return nil
	}
	m.changed, m.stored = false, true
	return g.setRecord(appendIDKey(nil, spaceMissing, p.log.no, &p.id), &m.rec)
}

func (g *group) flushAuthors() error {
	set := func(k authorKey, rec authorRec) error {
		key := appendIDKey(nil, spaceAuthor, k.no, (*[32]byte)(&k.author))
		if rec.seq == 0 { // all was cut
			return g.del(key)
		}
		return g.setRecord(key, &rec)
	}
	return flushLayer(&g.s.derived.authors, g.authors, set)
}

func (g *group) flushWindows() error {
	set := func(k windowKey, rec windowRec) error {
		key := appendWindowKey(nil, spaceSeqs, k)
		if rec == (windowRec{}) {
			return g.del(key)
		}
		return g.setRecord(key, &rec)
	}
	return flushLayer(&g.s.derived.windows, g.windows, set)
}

// flushLayer writes what waits and what a group has changed.
func flushLayer[K comparable, V any](l *layer[K, V], changed map[K]*held[V], set func(k K, v V) error) error {
	for k, v := range l.fresh {
		if h := changed[k]; h != nil && h.changed {
			continue
		}
		if err := set(k, v); err != nil {
			return err
		}
	}
	for k, h := range changed {
		if !h.changed {
			continue
		}
		if err := set(k, h.rec); err != nil {
			return err
		}
	}
	return nil
}

// checkpointNow writes what waits if there is room for it.
func (s *Store) checkpointNow() error {
	if s.writer.failed != nil {
		return s.writer.failed
	}
	if s.waiting() == 0 {
		return nil
	}
	if err := s.space(s.profile.reserve / 2); err != nil {
		return err
	}
	return s.flushWaiting()
}

// flushWaiting is a commit that is nothing but a checkpoint.
func (s *Store) flushWaiting() error {
	if s.waiting() == 0 {
		return nil
	}
	start := time.Now()
	var g *group
	err := guard(func() error {
		g = s.newGroup()
		g.alone = true
		s.writer.slab.reset()
		if err := g.flushLocked(); err != nil {
			g.txn.Discard()
			return s.fail(err)
		}
		return s.write(g)
	})
	if err != nil {
		return s.fail(err)
	}
	s.publish(g)
	s.metrics.committed(g, time.Since(start))
	return nil
}

func (g *group) flushLocked() error {
	g.s.logs.mu.Lock()
	defer g.s.logs.mu.Unlock()
	return g.flush()
}

// derivedRec says which payloads the derived records on disk tell of.
type derivedRec struct {
	next uint64 // those that are numbered below
	torn bool   // not even that is so: they are being made anew
}

func (r *derivedRec) appendTo(b []byte) []byte {
	var torn byte
	if r.torn {
		torn = 1
	}
	return binary.AppendUvarint(append(b, torn), r.next)
}

func decodeDerivedRec(b []byte) (r derivedRec, err error) {
	d := decoder{b: b}
	r.torn = d.bytes(1)[0] == 1
	r.next = d.uvarint()
	return r, d.end()
}
