package eventlog

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// Records of logs, authors, seqs, heads, missing parents and sums follow from the payloads. A
// single event changes eight of them, which costs more than all the rest of it. So they are kept in
// memory and written once for several commits, at a checkpoint (checkpoint.go); what a
// kill takes of them is made anew from the payloads that came since (replay.go).

// derived are such records, as of the last commit; logs have the others. The writer alone changes them.
type derived struct {
	mu      sync.RWMutex
	authors layer[authorKey, authorRec]
	windows layer[windowKey, windowRec]
	sums    layer[sumsKey, reconcile.Sum] // of no event: there is none
}

// layer has the records of a kind that are newer than the disk, and those that were written by the
// last checkpoints: a reader's transaction may be older than these.
type layer[K comparable, V any] struct {
	fresh map[K]V // changed since the last checkpoint
	kept  map[K]V // written since old
	old   map[K]V
}

func newLayer[K comparable, V any]() layer[K, V] {
	return layer[K, V]{fresh: make(map[K]V), kept: make(map[K]V)}
}

func (l *layer[K, V]) get(k K) (v V, ok bool) {
	for _, m := range [...]map[K]V{l.fresh, l.kept, l.old} {
		if v, ok = m[k]; ok {
			return v, true
		}
	}
	return v, false
}

// each calls fn with all records, with the newest of a key last.
func (l *layer[K, V]) each(fn func(k K, v V)) {
	for _, m := range [...]map[K]V{l.old, l.kept, l.fresh} {
		for k, v := range m {
			fn(k, v)
		}
	}
}

// written notes that all are on disk. It keeps some.
func (l *layer[K, V]) written(most int) {
	maps.Copy(l.kept, l.fresh)
	clear(l.fresh)
	if len(l.kept) > most {
		l.old, l.kept = l.kept, make(map[K]V)
	}
}

const (
	keptAuthors = 1024 // records of authors, and windows, kept after a checkpoint
	keptSums    = 64   // who reads a range looks through them
)

func (d *derived) init() {
	d.authors, d.windows, d.sums = newLayer[authorKey, authorRec](), newLayer[windowKey, windowRec](), newLayer[sumsKey, reconcile.Sum]()
}

// waiting is how many are newer than the disk.
func (d *derived) waiting() int {
	return len(d.authors.fresh) + len(d.windows.fresh) + len(d.sums.fresh)
}

// take makes what a group has committed seen.
func (d *derived) take(g *group) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, h := range g.authors {
		if h.changed {
			d.authors.fresh[k] = h.rec
		}
	}
	for k, h := range g.windows {
		if h.changed {
			d.windows.fresh[k] = h.rec
		}
	}
	for k, sum := range g.sums {
		d.sums.fresh[k] = *sum
	}
	if g.checkpoint {
		d.authors.written(keptAuthors)
		d.windows.written(keptAuthors)
		d.sums.written(keptSums)
	}
}

// authorRec returns an author's record, which may be empty.
func (s *Store) authorRec(txn *badger.Txn, k authorKey) (authorRec, error) {
	s.derived.mu.RLock()
	rec, ok := s.derived.authors.get(k)
	s.derived.mu.RUnlock()
	if ok {
		return rec, nil
	}
	var key [idKeyLen]byte
	rec, _, err := getRecord(txn, appendIDKey(key[:0], spaceAuthor, k.no, (*[32]byte)(&k.author)), decodeAuthorRec)
	return rec, err
}

// windowRec returns the record of a window of an author's seqs, which may be empty.
func (s *Store) windowRec(txn *badger.Txn, k windowKey) (windowRec, error) {
	s.derived.mu.RLock()
	rec, ok := s.derived.windows.get(k)
	s.derived.mu.RUnlock()
	if ok {
		return rec, nil
	}
	var key [seqsKeyLen]byte
	rec, _, err := getRecord(txn, appendWindowKey(key[:0], spaceSeqs, k), decodeWindowRec)
	return rec, err
}

// sum returns a bucket, as the writer sees it.
func (s *Store) sum(txn *badger.Txn, k sumsKey) (reconcile.Sum, error) {
	if sum, ok := s.derived.sums.get(k); ok {
		return sum, nil
	}
	var key [sumsKeyLen]byte
	sum, _, err := getRecord(txn, appendSumsKey(key[:0], k), decodeSum)
	return sum, err
}

// sumsOf returns the buckets of a log that may be newer than the disk.
func (d *derived) sumsOf(no uint32) sumsNewer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make(sumsNewer)
	d.sums.each(func(k sumsKey, sum reconcile.Sum) {
		if k.no == no {
			out[k] = sum
		}
	})
	return out
}

type sumsNewer map[sumsKey]reconcile.Sum

// level returns the buckets of a level from first until before last, ascending.
func (n sumsNewer) level(level byte, first, last uint64) (out newer[reconcile.Sum]) {
	for k, sum := range n {
		if k.level == level && first <= k.bucket && k.bucket < last {
			out = append(out, numbered[reconcile.Sum]{k.bucket, sum})
		}
	}
	return out.sorted()
}

// windowsOf returns the windows of an author that may be newer than the disk, ascending.
func (d *derived) windowsOf(a authorKey) newer[windowRec] {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make(map[uint64]windowRec)
	d.windows.each(func(k windowKey, rec windowRec) {
		if k.authorKey == a {
			all[k.window] = rec
		}
	})
	var out newer[windowRec]
	for n, rec := range all {
		out = append(out, numbered[windowRec]{n, rec})
	}
	return out.sorted()
}

// authorsOf returns authors of a log of whom the disk may not know, and whether something of them
// is stored.
func (d *derived) authorsOf(no uint32) map[event.Author]bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make(map[event.Author]bool)
	d.authors.each(func(k authorKey, rec authorRec) {
		if k.no == no {
			out[k.author] = rec.seq > 0
		}
	})
	return out
}

// newer are records that go before those of the disk.
type newer[V any] []numbered[V]

type numbered[V any] struct {
	n   uint64
	rec V
}

func (n newer[V]) sorted() newer[V] {
	slices.SortFunc(n, func(a, b numbered[V]) int { return cmp.Compare(a.n, b.n) })
	return n
}

// until calls fn with those below a number and takes them away.
func (n *newer[V]) until(end uint64, fn func(n uint64, rec V) error) error {
	for len(*n) > 0 && (*n)[0].n < end {
		x := (*n)[0]
		*n = (*n)[1:]
		if err := fn(x.n, x.rec); err != nil {
			return err
		}
	}
	return nil
}

// take returns the one with a number, which is the first if it is there.
func (n *newer[V]) take(at uint64) (rec V, ok bool) {
	if len(*n) == 0 || (*n)[0].n != at {
		return rec, false
	}
	rec = (*n)[0].rec
	*n = (*n)[1:]
	return rec, true
}
