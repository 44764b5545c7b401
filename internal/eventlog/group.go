package eventlog

import (
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// group is the commit that the writer prepares. While it does, s.logs.mu is held.
type group struct {
	s       *Store
	txn     *badger.Txn
	entries int // keys set or deleted
	durable bool
	before  uint64 // while it replays: what is numbered from here on is not there yet

	alone      bool // does more than add events: it has to be a checkpoint
	checkpoint bool // it is one

	authors map[authorKey]*held[authorRec]
	windows map[windowKey]*held[windowRec]
	ids     map[shortID]spot // of new events without records of their own
	sums    sums             // to be added to what is stored; in the end what it is then

	gone goneRecs

	stored   []stored   // payloads
	replaced []stored   // payloads that lost contents; counts are as they were
	dropped  []uint64   // arrivals of payloads that are not there any more
	moved    []indexRec // erased events, whose content is in one of stored
	newest   uint64     // highest arrival of a new event
	events   int        // new
	dups     int
	forks    int
}

// held is a record that a group has read.
type held[T any] struct {
	rec     T
	changed bool
}

type authorKey struct {
	no     uint32
	author event.Author
}

type windowKey struct {
	authorKey
	window uint64
}

type idInLog struct {
	log *logState
	id  [32]byte
}

// stored is a payload with what of it counts.
type stored struct {
	arrival uint64
	batch   *event.Batch
	counts  bitmap
}

// slab has the memory for keys, values and entries of a group; it is used again
// when badger has committed. Growing leaves what was handed out valid.
type slab struct {
	bytes   []byte
	entries []badger.Entry
}

func (b *slab) reset() { b.bytes, b.entries = b.bytes[:0], b.entries[:0] }

// prepare fills a transaction from requests. An error means that none of them
// is written; the error of a single request stands in it.
func (s *Store) prepare(reqs []*request) (*group, error) {
	if s.writer.failed != nil {
		return nil, s.writer.failed
	}
	bytes := 0
	for _, r := range reqs {
		k, b := r.size()
		bytes += b + 128*k
	}
	if err := s.spaceFor(reqs, bytes); err != nil {
		return nil, err
	}
	g := s.newGroup()
	s.writer.slab.reset()
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	if s.waiting() == 0 {
		s.logs.trimLocked(s.profile.logsHeld, s.profile.endsHeld)
	}
	for _, r := range reqs {
		if err := g.add(r); err != nil {
			g.txn.Discard()
			return nil, s.fail(err)
		}
	}
	if err := g.flush(); err != nil {
		g.txn.Discard()
		return nil, s.fail(err)
	}
	return g, nil
}

func (s *Store) newGroup() *group {
	return &group{
		s:       s,
		txn:     s.db.NewTransaction(true),
		authors: make(map[authorKey]*held[authorRec]),
		windows: make(map[windowKey]*held[windowRec]),
		ids:     make(map[shortID]spot),
		sums:    make(sums),
	}
}

// add puts one request into the transaction. What is wrong with the request
// alone is put into r.err; an error that is returned spoils the group.
func (g *group) add(r *request) error {
	g.durable = g.durable || r.durable
	if r.batch != nil {
		if err := g.addBatch(r); err != nil || r.err != nil {
			return err
		}
	}
	if r.apply != nil {
		g.alone = true
		return r.apply(g)
	}
	for i := range r.marks {
		if err := g.mark(&r.marks[i]); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) mark(m *Mark) error {
	if m.Val == nil {
		return g.del(appKey(m.Key))
	}
	return g.set(appKey(m.Key), m.Val)
}

func (g *group) addBatch(r *request) error {
	b := r.batch
	limit := g.s.limitOf(b.Author(), b.Log())
	if limit != nil && (r.whole || g.s.logs.byID[b.Log()] == nil) {
		if n := g.s.Cut(b); n > 0 && r.whole {
			r.err = ErrCut
			return nil
		} else if n == len(b.Events) {
			g.refuse(r) // no log for what is not stored
			return nil
		}
	}
	if len(g.s.logs.byNo) >= g.s.profile.logs && g.s.logs.byID[b.Log()] == nil {
		r.err = ErrScattered.Withf("the store holds %d rooms, the most it takes", g.s.profile.logs)
		return nil
	}
	log, err := g.s.logs.makeLocked(g.txn, b.Log())
	if err != nil {
		return err
	}
	a := adding{group: g, log: log, limit: limit, batch: b, res: &r.res}
	if err := a.readAuthor(); err != nil {
		return err
	}
	if err := a.findNew(); err != nil {
		return err
	}
	g.dups += len(b.Events) - a.fresh
	if a.fresh == 0 {
		return nil
	}
	if fits, err := a.fits(); err != nil || !fits {
		r.err = ErrScattered
		return err
	}
	return a.store()
}

// refuse answers a batch of which all is cut.
func (g *group) refuse(r *request) {
	r.res.New = make([]bool, len(r.batch.Events))
	for i := range r.batch.Events {
		r.res.Cut = append(r.res.Cut, i)
		g.s.refused.add(r.batch.Events[i].ID)
	}
	g.dups += len(r.batch.Events)
}

// touch has a log's record written.
func (g *group) touch(l *logState) {
	if p := &g.s.writer.pending; !slices.Contains(p.logs, l) {
		p.logs = append(p.logs, l)
	}
}

// flush puts what the requests changed together into the transaction.
func (g *group) flush() error {
	if err := g.flushDerived(); err != nil {
		return err
	}
	if err := g.flushGone(); err != nil {
		return err
	}
	if err := g.flushIndex(); err != nil {
		return err
	}
	return g.flushArrivals()
}

// author returns an author's record, which may be empty.
func (g *group) author(k authorKey) (*held[authorRec], error) {
	if h := g.authors[k]; h != nil {
		return h, nil
	}
	rec, err := g.s.authorRec(g.txn, k)
	h := &held[authorRec]{rec: rec}
	g.authors[k] = h
	return h, err
}

// window returns the record of a window of an author's seqs, which may be empty.
func (g *group) window(k windowKey) (*held[windowRec], error) {
	if h := g.windows[k]; h != nil {
		return h, nil
	}
	rec, err := g.s.windowRec(g.txn, k)
	h := &held[windowRec]{rec: rec}
	g.windows[k] = h
	return h, err
}

type record interface{ appendTo(b []byte) []byte }

func (g *group) setRecord(key []byte, r record) error { return g.set(key, r.appendTo(nil)) }

// set puts a key into the transaction, which keeps key and val until it is
// committed.
func (g *group) set(key, val []byte) error {
	g.entries++
	b := &g.s.writer.slab
	b.entries = append(b.entries, badger.Entry{Key: key, Value: val})
	return g.txn.SetEntry(&b.entries[len(b.entries)-1])
}

// dropEnd has the next checkpoint delete a head or a missing parent.
func (g *group) dropEnd(l *logState, space byte, id *event.ID) {
	pending := &g.s.writer.pending
	pending.gone = append(pending.gone, appendIDKey(nil, space, l.no, (*[32]byte)(id)))
}

func (g *group) del(key []byte) error {
	g.entries++
	return g.txn.Delete(key)
}

// setIndex gives an event a record of its own.
func (g *group) setIndex(id *event.ID, rec indexRec) error {
	b := &g.s.writer.slab
	start := len(b.bytes)
	b.bytes = appendIndexKey(b.bytes, id)
	end := len(b.bytes)
	b.bytes = rec.appendTo(b.bytes)
	return g.set(b.bytes[start:end:end], b.bytes[end:len(b.bytes):len(b.bytes)])
}
