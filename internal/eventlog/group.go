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

	logs    []*logState            // touched
	authors map[*authorRec]idInLog // touched
	sums    map[sumsKey]*sums      // to be added to what is stored
	heads   []idInLog              // new, perhaps gone again
	missing []idInLog              // new, perhaps gone again

	stored []stored // payloads
	newest uint64   // highest arrival of a new event
	events int      // new
	dups   int
	forks  int
}

type idInLog struct {
	log *logState
	id  [32]byte
}

type sumsKey struct {
	no     uint32
	bucket uint64
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
	if err := s.roomToWrite(bytes); err != nil {
		return nil, err
	}
	g := &group{
		s:       s,
		txn:     s.db.NewTransaction(true),
		authors: make(map[*authorRec]idInLog),
		sums:    make(map[sumsKey]*sums),
	}
	s.writer.slab.reset()
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	s.logs.trimLocked(s.profile.logsHeld)
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

// add puts one request into the transaction. What is wrong with the request
// alone is put into r.err; an error that is returned spoils the group.
func (g *group) add(r *request) error {
	g.durable = g.durable || r.durable
	if r.batch != nil {
		return g.addBatch(r)
	}
	if r.val == nil {
		return g.del(r.key)
	}
	return g.set(r.key, r.val)
}

func (g *group) addBatch(r *request) error {
	b := r.batch
	log, err := g.s.logs.stateLocked(g.txn, b.Log(), true)
	if err != nil {
		return err
	}
	if len(log.authors) >= g.s.profile.authorsHeld && !slices.Contains(g.logs, log) {
		clear(log.authors) // untouched in this commit: all on disk
	}
	author, err := log.author(g.txn, b.Author())
	if err != nil {
		return err
	}
	a := adding{group: g, log: log, author: author, batch: b, res: &r.res}
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

// flush puts what the requests changed together into the transaction.
func (g *group) flush() error {
	for _, h := range g.heads {
		if err := g.flushHead(h); err != nil {
			return err
		}
	}
	for _, p := range g.missing {
		if err := g.flushMissing(p); err != nil {
			return err
		}
	}
	for k, add := range g.sums {
		if err := g.flushSums(k, add); err != nil {
			return err
		}
	}
	for rec, k := range g.authors {
		if err := g.setRecord(appendIDKey(nil, spaceAuthor, k.log.no, &k.id), rec); err != nil {
			return err
		}
	}
	for _, l := range g.logs {
		if err := g.setRecord(logKey(l.no), &l.rec); err != nil {
			return err
		}
	}
	return g.flushArrivals()
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
	if onDisk, ok := p.log.missing[p.id]; !ok || onDisk {
		return nil
	}
	p.log.missing[p.id] = true
	return g.set(appendIDKey(nil, spaceMissing, p.log.no, &p.id), nil)
}

func (g *group) flushSums(k sumsKey, add *sums) error {
	key := appendSumsKey(nil, k.no, k.bucket)
	val, err := get(g.txn, key)
	if err != nil {
		return err
	}
	if val != nil {
		old, err := decodeSums(val)
		if err != nil {
			return err
		}
		add.merge(&old)
	}
	return g.setRecord(key, add)
}

// touch notes that a log's and an author's records change.
func (g *group) touch(log *logState, author *authorRec, id event.Author) {
	if !slices.Contains(g.logs, log) {
		g.logs = append(g.logs, log)
	}
	g.authors[author] = idInLog{log, id}
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

func (g *group) del(key []byte) error {
	g.entries++
	return g.txn.Delete(key)
}
