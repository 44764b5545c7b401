package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// cutRec is an author's cuts as they are stored: whether what does not count is deleted, the
// highest hlc that counts in logs that are not named, and for each that is, ascending, its id,
// highest hlc, and last seq and id.
type cutRec struct{ *authorCut }

func (r cutRec) appendTo(b []byte) []byte {
	var swept byte
	if r.swept {
		swept = 1
	}
	b = binary.AppendUvarint(append(b, swept), uint64(r.others.at))
	for _, log := range slices.SortedFunc(maps.Keys(r.named), func(a, b event.LogID) int { return bytes.Compare(a[:], b[:]) }) {
		l := r.named[log]
		b = binary.AppendUvarint(append(b, log[:]...), uint64(l.at))
		b = append(binary.AppendUvarint(b, l.last.Seq), l.last.ID[:]...)
	}
	return b
}

func decodeCutRec(b []byte) (r cutRec, err error) {
	d := decoder{b: b}
	c := &authorCut{named: make(map[event.LogID]*limit)}
	c.swept = d.bytes(1)[0] == 1
	c.others.at = event.HLC(d.uvarint())
	for len(d.b) > 0 {
		log := event.LogID(d.bytes(len(event.LogID{})))
		l := &limit{at: event.HLC(d.uvarint()), named: true}
		l.last.Seq = d.uvarint()
		l.last.ID = event.ID(d.bytes(len(event.ID{})))
		c.named[log] = l
	}
	return cutRec{c}, d.end()
}

// splitRec tells of a payload of which some events were cut: where its time record is. What
// runs and memory have of its events is not to be believed without that.
type splitRec struct {
	log   uint32
	first event.HLC
}

func (r *splitRec) appendTo(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.log)), uint64(r.first))
}

func decodeSplitRec(b []byte) (r splitRec, err error) {
	d := decoder{b: b}
	r.log, r.first = uint32(d.uvarint()), event.HLC(d.uvarint())
	return r, d.end()
}

func cutKey(a event.Author) []byte { return append([]byte{spaceCuts}, a[:]...) }

func splitKey(arrival uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{spaceSplit}, arrival)
}

// loadCuts reads what is cut, when the store is opened.
func (s *Store) loadCuts() error {
	set := make(cutSet)
	err := s.db.View(func(txn *badger.Txn) error {
		err := scan(txn, []byte{spaceCuts}, func(key, val []byte) error {
			rec, err := decodeCutRec(val)
			if err != nil || len(key) != 1+len(event.Author{}) {
				return errValue
			}
			set[event.Author(key[1:])] = rec.authorCut
			return nil
		})
		if err != nil {
			return err
		}
		return scan(txn, []byte{spaceSplit}, func(key, val []byte) error {
			rec, err := decodeSplitRec(val)
			if err != nil || len(key) != 9 {
				return errValue
			}
			s.ids.split(binary.BigEndian.Uint64(key[1:]), rec)
			return nil
		})
	})
	s.putCuts(set)
	return err
}

func (s *Store) putCuts(set cutSet) {
	if len(set) == 0 {
		s.cuts.Store(nil)
		return
	}
	s.cuts.Store(&set)
}

// Bounds of what one commit changes of the cuts.
const (
	cutsAtOnce      = 512
	cutsBytesAtOnce = 64 << 10 // rounded up to an author's
)

// storeCuts writes changed cuts durably. They are in force from the commit on that has them.
func (s *Store) storeCuts(ctx context.Context, changed []changedCut) error {
	s.refused.clear()
	if err := s.writeCuts(ctx, changed); err != nil {
		return err
	}
	// else what is deleted next would look like lost if the store is killed
	return s.change(ctx, 1, true, func(g *group) error { return g.noteSynced() })
}

func (s *Store) writeCuts(ctx context.Context, changed []changedCut) error {
	for len(changed) > 0 {
		n, size := 0, 0
		for n < len(changed) && n < cutsAtOnce && size < cutsBytesAtOnce {
			if c := changed[n].cut; c != nil {
				size += 96 * len(c.named)
			}
			n++
		}
		part := changed[:n]
		changed = changed[n:]
		if err := s.change(ctx, n, true, func(g *group) error { return g.changeCuts(part) }); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) changeCuts(changed []changedCut) error {
	set := maps.Clone(g.s.cutsNow())
	if set == nil {
		set = make(cutSet)
	}
	for _, c := range changed {
		if c.cut == nil {
			delete(set, c.author)
			if err := g.del(cutKey(c.author)); err != nil {
				return err
			}
			continue
		}
		set[c.author] = c.cut
		if err := g.setRecord(cutKey(c.author), cutRec{c.cut}); err != nil {
			return err
		}
	}
	g.s.putCuts(set)
	return nil
}

// noteSynced notes which payloads are on disk.
func (g *group) noteSynced() error {
	w := &g.s.writer
	w.noted = w.synced
	return g.setRecord(keyArrivals, &arrivalRec{next: w.leased, synced: w.noted})
}

// unswept returns the authors of whom something that does not count may be stored.
func (s *Store) unswept() (authors []event.Author) {
	for a, c := range s.cutsNow() {
		if !c.swept {
			authors = append(authors, a)
		}
	}
	return authors
}

// noteSwept notes that nothing that does not count is stored of some authors. All that was deleted
// is synced before: of what is not, a loss of power may take the earlier and leave the later.
func (s *Store) noteSwept(ctx context.Context, authors []event.Author) error {
	if err := s.change(ctx, 0, true, func(*group) error { return nil }); err != nil {
		return err
	}
	var swept []changedCut
	set := s.cutsNow()
	for _, a := range authors {
		c := *set[a]
		c.swept = true
		swept = append(swept, changedCut{a, &c})
	}
	return s.writeCuts(ctx, swept)
}
