package eventlog

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// goneRecs are the records of what retention deleted, as held by a group: of an
// author's seqs and the highest of them. With them the records of authors are
// what the payloads and they add up to.
type goneRecs struct {
	authors map[authorKey]*held[authorRec]
	windows map[windowKey]*held[windowRec]
}

// goneAuthor returns the record of an author's deleted events, which is going to
// be changed.
func (g *group) goneAuthor(k authorKey) (*held[authorRec], error) {
	if h := g.gone.authors[k]; h != nil {
		return h, nil
	}
	rec, _, err := getRecord(g.txn, appendIDKey(nil, spaceDeleted, k.no, (*[32]byte)(&k.author)), decodeAuthorRec)
	h := &held[authorRec]{rec: rec, changed: true}
	if g.gone.authors == nil {
		g.gone.authors = make(map[authorKey]*held[authorRec])
	}
	g.gone.authors[k] = h
	return h, err
}

// goneWindow returns the record of a window of deleted seqs, which is going to be
// changed.
func (g *group) goneWindow(k windowKey) (*held[windowRec], error) {
	if h := g.gone.windows[k]; h != nil {
		return h, nil
	}
	rec, _, err := getRecord(g.txn, appendWindowKey(nil, spaceDeleted, k), decodeWindowRec)
	h := &held[windowRec]{rec: rec, changed: true}
	if g.gone.windows == nil {
		g.gone.windows = make(map[windowKey]*held[windowRec])
	}
	g.gone.windows[k] = h
	return h, err
}

func (g *group) flushGone() error {
	for k, h := range g.gone.authors {
		key := appendIDKey(nil, spaceDeleted, k.no, (*[32]byte)(&k.author))
		if err := g.setOrDelete(key, &h.rec, h.rec.seq > 0); err != nil {
			return err
		}
	}
	for k, h := range g.gone.windows {
		if err := g.setOrDelete(appendWindowKey(nil, spaceDeleted, k), &h.rec, h.rec != (windowRec{})); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) setOrDelete(key []byte, r record, set bool) error {
	if set {
		return g.setRecord(key, r)
	}
	return g.del(key)
}

// trimGone forgets the seqs of deleted events that lie behind the place that cuts name. Of what was
// deleted for its age the hlc is not known: by that alone nothing is forgotten.
func (s *Store) trimGone(ctx context.Context, log event.LogID, k authorKey, end Place) error {
	var rec authorRec
	err := s.view(func(txn *badger.Txn) (err error) {
		rec, _, err = getRecord(txn, appendIDKey(nil, spaceDeleted, k.no, (*[32]byte)(&k.author)), decodeAuthorRec)
		return err
	})
	for done := rec.seq <= end.Seq; err == nil && !done; {
		err = s.change(ctx, portionKeys, false, func(g *group) error {
			l, err := g.s.logs.makeLocked(g.txn, log)
			if err != nil {
				return err
			}
			g.touch(l)
			l.rec.cut, l.rec.stale = true, true
			done, err = g.trimGone(k, end)
			return err
		})
	}
	return err
}

// trimGone takes away some of the windows behind a place, the newest first, and says whether it came to
// the last. The author's record is changed then: it tells whether there is something to do.
func (g *group) trimGone(k authorKey, end Place) (done bool, err error) {
	a, err := g.goneAuthor(k)
	if err != nil {
		return false, err
	}
	it := g.txn.NewIterator(badger.IteratorOptions{Prefix: appendIDKey(nil, spaceDeleted, k.no, (*[32]byte)(&k.author)), Reverse: true})
	defer it.Close()
	n := 0
	for it.Seek(appendWindowKey(nil, spaceDeleted, windowKey{k, math.MaxUint64})); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if len(key) != seqsKeyLen { // the author's own, which is the first
			break
		}
		window := binary.BigEndian.Uint64(key[idKeyLen:])
		if window*windowSeqs > end.Seq {
			if n++; n > portionKeys {
				return false, nil
			}
			if err := g.del(key); err != nil {
				return false, err
			}
			continue
		}
		w, err := g.goneWindow(windowKey{k, window})
		if err != nil {
			return false, err
		}
		if a.rec.seq = w.rec.trim(window, end.Seq); a.rec.seq == 0 {
			continue
		}
		if a.rec.last = (event.ID{}); a.rec.seq == end.Seq { // of others the id is not known
			a.rec.last = end.ID
		}
		return true, nil
	}
	a.rec = authorRec{}
	return true, nil
}

// trim takes the seqs above one out of a window, and returns the highest that is left, 0 if none is.
func (r *windowRec) trim(window, last uint64) (highest uint64) {
	for i := range int(windowSeqs) {
		switch seq := window*windowSeqs + uint64(i); {
		case seq > last:
			r.seqs.clear(i)
			r.forks.clear(i)
		case r.seqs.has(i):
			highest = seq
		}
	}
	return highest
}
