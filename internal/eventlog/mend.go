package eventlog

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// What names a parent, and what has a seq, no record tells. So when events of a log were cut, its heads,
// missing parents and forks, and the records of the authors, are made anew from all that it has:
// read beside the writer, which then takes in what came meanwhile and changes what differs.

// mending makes them anew.
type mending struct {
	*tally
	snap    *badger.Txn // of which the tally is
	from    uint64      // what is numbered from here on is not in it
	log     event.LogID
	authors []event.Author
	left    int // keys that the commit under way may change
}

// mend makes anew what events that were cut have left in a log. Nothing else is deleted meanwhile.
func (s *Store) mend(ctx context.Context, no uint32, authors []event.Author) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	m, err := s.newMending(ctx, no, authors)
	if err != nil {
		return err
	}
	defer m.snap.Discard()
	return m.finish(ctx)
}

// newMending reads what a log has. The caller keeps badger open and discards snap.
func (s *Store) newMending(ctx context.Context, no uint32, authors []event.Author) (*mending, error) {
	m := &mending{tally: newTally(s, no, math.MaxUint64), authors: authors}
	err := s.ask(ctx, func() error {
		m.from, m.snap = s.writer.next, s.db.NewTransaction(false)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := readFault(guard(func() error { return m.read(ctx) })); err != nil {
		m.snap.Discard()
		return nil, err
	}
	return m, nil
}

// finish has the writer change what differs, in portions.
func (m *mending) finish(ctx context.Context) error {
	for done := false; !done; {
		err := m.s.change(ctx, portionKeys, false, func(g *group) (err error) {
			done, err = m.apply(g)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *mending) read(ctx context.Context) error {
	if err := m.begin(m.snap); err != nil {
		return err
	}
	m.log = m.rec.id
	return m.s.walkLog(ctx, m.snap, m.no, func(p *stored) error { return m.addPayload(m.snap, p, nil) })
}

// apply changes some of what differs, and says whether that was all.
func (m *mending) apply(g *group) (done bool, err error) {
	if err := m.catchUp(g.txn); err != nil {
		return false, err
	}
	m.from = g.s.writer.next
	l, err := g.s.logs.makeLocked(g.txn, m.log)
	if err != nil {
		return false, err
	}
	m.left = portionKeys
	m.mendHeads(g, l)
	m.mendMissing(g, l)
	for _, a := range m.authors {
		if err := m.mendAuthor(g, authorKey{m.no, a}); err != nil {
			return false, err
		}
	}
	if m.left <= 0 {
		return false, nil
	}
	l.rec.forks, l.rec.stale = m.rec.forks, false
	g.touch(l)
	return true, nil
}

// catchUp takes in what came since.
func (m *mending) catchUp(txn *badger.Txn) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spacePayload}})
	defer it.Close()
	for it.Seek(appendPayloadKey(nil, m.from)); it.Valid(); it.Next() {
		p, err := m.s.payloadOf(it.Item())
		if err == nil && p.batch.Log() != m.log {
			continue
		}
		if err == nil {
			p, err = countingIn(txn, p, m.no)
		}
		if err == nil {
			err = m.leaveFilled(&p)
		}
		if err == nil {
			err = m.addPayload(txn, &p, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveFilled leaves out what was there before, without its content.
func (m *mending) leaveFilled(p *stored) error {
	for i := range p.batch.Events {
		rec, own, err := ownRecord(m.snap, &p.batch.Events[i].ID)
		if err != nil {
			return err
		}
		if own && !rec.cut {
			p.counts.clear(i)
		}
	}
	return nil
}

// mendHeads makes the heads those that are read. In a log with a floor a child that is not
// there any more may have made an event below it none.
func (m *mending) mendHeads(g *group, l *logState) {
	for id, h := range l.heads {
		if _, ok := m.heads[id]; ok || !m.take() {
			continue
		}
		delete(l.heads, id)
		l.tighten(h.by)
		if h.stored {
			g.dropEnd(l, spaceHead, &id)
		}
	}
	pending := &g.s.writer.pending
	for id, hlc := range m.heads {
		if l.heads[id] != nil || secondOf(hlc) < m.rec.floor || !m.take() {
			continue
		}
		l.heads[id] = &head{hlc: hlc}
		pending.heads = append(pending.heads, idInLog{l, id})
	}
}

// mendMissing makes the missing parents those that are read. One that was not missing before was cut: nobody
// has to look for it.
func (m *mending) mendMissing(g *group, l *logState) {
	for id, x := range l.missing {
		_, ok := m.missing[id]
		if ok || x.rec.second == 0 && m.ends[id] || x.rec.second > 0 && x.rec.second < m.rec.floor || !m.take() {
			continue
		}
		delete(l.missing, id)
		l.tighten(x.by)
		if x.stored {
			g.dropEnd(l, spaceMissing, &id)
		}
	}
	pending := &g.s.writer.pending
	for id, second := range m.missing {
		x := l.missing[id]
		if x != nil && (x.rec.second == second || m.rec.floor > 0 && x.rec.second < second) || !m.take() {
			continue
		}
		if x == nil {
			x = &missing{rec: missingRec{settled: true}}
			l.missing[id] = x
		}
		x.rec.second, x.changed = second, true
		pending.missing = append(pending.missing, idInLog{l, id})
	}
}

// take takes one of the keys that may be changed.
func (m *mending) take() bool {
	if m.left <= 0 {
		return false
	}
	m.left--
	return true
}

// mendAuthor makes the records of an author those that are read.
func (m *mending) mendAuthor(g *group, k authorKey) error {
	h, err := g.author(k)
	if err != nil {
		return err
	}
	var want authorRec
	if a := m.tally.authors[k.author]; a != nil {
		want = *a
	}
	if h.rec != want && m.take() {
		h.rec, h.changed = want, true
	}
	windows, err := m.windowsOf(g.txn, k)
	if err != nil {
		return err
	}
	for n := range windows {
		w := windowKey{k, n}
		h, err := g.window(w)
		if err != nil {
			return err
		}
		var want windowRec
		if x := m.windows[w]; x != nil {
			want = *x
		}
		if h.rec != want && m.take() {
			h.rec, h.changed = want, true
		}
	}
	return nil
}

// windowsOf returns the numbers of all windows that an author has or ought to have.
func (m *mending) windowsOf(txn *badger.Txn, k authorKey) (map[uint64]struct{}, error) {
	out := make(map[uint64]struct{})
	for w := range m.windows {
		if w.authorKey == k {
			out[w.window] = struct{}{}
		}
	}
	for _, w := range m.s.derived.windowsOf(k) {
		out[w.n] = struct{}{}
	}
	err := scan(txn, appendIDKey(nil, spaceSeqs, k.no, (*[32]byte)(&k.author)), func(key, _ []byte) error {
		if len(key) != seqsKeyLen {
			return errValue
		}
		out[binary.BigEndian.Uint64(key[idKeyLen:])] = struct{}{}
		return nil
	})
	return out, err
}
