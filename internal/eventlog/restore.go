package eventlog

import (
	"context"
	"encoding/binary"

	"github.com/parley-chat/parley/internal/event"
)

func numberIn(key []byte) uint32 { return binary.BigEndian.Uint32(key[1:]) }

// goOnNumbering has the new store number arrivals above all that were given.
func (v *salvaging) goOnNumbering(ctx context.Context) error {
	next := uint64(1)
	err := v.raw.each(keyArrivals, func(_, val []byte) error {
		if rec, err := decodeArrivalRec(val); err == nil {
			next = max(next, rec.next)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = v.raw.each([]byte{spacePayload}, func(key, _ []byte) error {
		if len(key) == 9 {
			next = max(next, binary.BigEndian.Uint64(key[1:])+event.MaxBatchEvents)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(v.Damaged) > 0 { // the newest may be what cannot be read
		next += leaseSize
	}
	return v.to.change(ctx, 1, true, func(g *group) error {
		g.s.writer.next = max(g.s.writer.next, next)
		return nil
	})
}

// restoreCuts has the new store refuse what the old one refused.
func (v *salvaging) restoreCuts(ctx context.Context) error {
	var changed []changedCut
	err := v.raw.each([]byte{spaceCuts}, func(key, val []byte) error {
		if rec, err := decodeCutRec(val); err == nil && len(key) == 1+len(event.Author{}) {
			changed = append(changed, changedCut{event.Author(key[1:]), rec.authorCut})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.to.storeCuts(ctx, changed)
}

// restoreAuthors takes over where the chains of authors ended, and which of
// their seqs were deleted.
func (v *salvaging) restoreAuthors(ctx context.Context) error {
	err := v.raw.each([]byte{spaceAuthor}, func(key, val []byte) error { return v.restoreEnd(ctx, key, val) })
	if err != nil {
		return err
	}
	return v.raw.each([]byte{spaceDeleted}, func(key, val []byte) error {
		if len(key) == idKeyLen {
			return v.restoreEnd(ctx, key, val)
		}
		rec, err := decodeWindowRec(val)
		log, ok := v.logOf(key)
		if err != nil || !ok || len(key) != seqsKeyLen {
			return nil
		}
		author, window := event.Author(key[5:]), binary.BigEndian.Uint64(key[idKeyLen:])
		return v.to.change(ctx, 4, false, func(g *group) error { return g.restoreWindow(log, author, window, &rec) })
	})
}

func (v *salvaging) restoreEnd(ctx context.Context, key, val []byte) error {
	rec, err := decodeAuthorRec(val)
	log, ok := v.logOf(key)
	if err != nil || !ok || len(key) != idKeyLen {
		return nil
	}
	author := event.Author(key[5:])
	st, err := v.to.Author(log, author)
	if err != nil || st.LastSeq >= rec.seq {
		return err
	}
	return v.to.change(ctx, 4, false, func(g *group) error { return g.restoreEnd(log, author, &rec) })
}

func (v *salvaging) logOf(key []byte) (event.LogID, bool) {
	if len(key) < 5 {
		return event.LogID{}, false
	}
	id, ok := v.logs[numberIn(key)]
	return id, ok
}

// restoreEnd makes an author's chain go on from an event that is not stored any
// more: it is missing, until it comes again.
func (g *group) restoreEnd(log event.LogID, author event.Author, end *authorRec) error {
	l, err := g.s.logs.makeLocked(g.txn, log)
	if err != nil {
		return err
	}
	g.touch(l)
	k := authorKey{l.no, author}
	a, err := g.author(k)
	if err != nil || a.rec.seq >= end.seq {
		return err
	}
	gone, err := g.goneAuthor(k)
	if err != nil {
		return err
	}
	gone.rec, a.rec, a.changed = *end, *end, true
	if l.rec.floor == 0 && l.missing[end.last] == nil {
		l.missing[end.last] = &missing{changed: true}
		pending := &g.s.writer.pending
		pending.missing = append(pending.missing, idInLog{l, end.last})
	}
	return nil
}

// restoreWindow notes seqs as deleted that are not stored.
func (g *group) restoreWindow(log event.LogID, author event.Author, window uint64, old *windowRec) error {
	l, err := g.s.logs.makeLocked(g.txn, log)
	if err != nil {
		return err
	}
	g.touch(l)
	k := windowKey{authorKey{l.no, author}, window}
	w, err := g.window(k)
	if err != nil {
		return err
	}
	var lost bitmap
	for i := range int(windowSeqs) {
		if old.seqs.has(i) && !w.rec.seqs.has(i) {
			lost.set(i)
		}
	}
	if lost.count() == 0 {
		return nil
	}
	gone, err := g.goneWindow(k)
	if err != nil {
		return err
	}
	for i := range lost {
		gone.rec.seqs[i] |= lost[i]
		w.rec.seqs[i] |= lost[i]
	}
	w.changed = true
	return nil
}
