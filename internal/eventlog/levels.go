package eventlog

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// Sums of ids are kept in levels of buckets: a bucket of level n has
// 2^levelShift[n] whole seconds of hlc, which are what reconciliation compares.
// A range is whole buckets, the highest that fit, and at its edges at most 255
// of each lower level; nothing but a part of a second means reading events.
// Each level is one more entry a commit: docs/decisions has what that costs.
var levelShift = [...]uint{0, 8, 16}

const (
	levels   = len(levelShift)
	topLevel = levels - 1
)

// endOfTime is the second after the last one that an hlc can have.
const endOfTime uint64 = (1<<48-1)/1000 + 1

// sumsKey names a bucket.
type sumsKey struct {
	no     uint32
	level  byte
	bucket uint64
}

func secondOf(h event.HLC) uint64 { return uint64(h.Second()) }

// hlcOf returns the first hlc of a second before endOfTime.
func hlcOf(second uint64) event.HLC { return event.HLC(second*1000) * hlcMilli }

// sums is what a commit changes of the buckets of all logs.
type sums map[sumsKey]*reconcile.Sum

// at returns the change of the bucket of level 0 that an event is in.
func (s sums) at(no uint32, h event.HLC) *reconcile.Sum {
	k := sumsKey{no, 0, secondOf(h)}
	x := s[k]
	if x == nil {
		x = new(reconcile.Sum)
		s[k] = x
	}
	return x
}

// lift adds what changes in level 0 to the levels above.
func (s sums) lift() {
	for _, k := range slices.Collect(maps.Keys(s)) {
		add := s[k]
		for n := 1; n < levels; n++ {
			up := sumsKey{k.no, byte(n), k.bucket >> levelShift[n]}
			if s[up] == nil {
				s[up] = new(reconcile.Sum)
			}
			s[up].Merge(add)
		}
	}
}

// mergeSums makes of what a group changes what the buckets are then.
func (g *group) mergeSums() error {
	g.sums.lift()
	for k, add := range g.sums {
		if *add == (reconcile.Sum{}) {
			delete(g.sums, k)
			continue
		}
		old, err := g.s.sum(g.txn, k)
		if err != nil {
			return err
		}
		add.Merge(&old)
	}
	return nil
}

// flushSums writes the buckets that wait and those of the group.
func (g *group) flushSums() error {
	for k, sum := range g.s.derived.sums.fresh {
		if g.sums[k] == nil {
			if err := g.setSum(k, &sum); err != nil {
				return err
			}
		}
	}
	for k, sum := range g.sums {
		if err := g.setSum(k, sum); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) setSum(k sumsKey, sum *reconcile.Sum) error {
	key := appendSumsKey(nil, k)
	if sum.Count == 0 {
		return g.del(key)
	}
	return g.set(key, appendSum(nil, sum))
}

// summing adds up the buckets of a log whose payloads come in the order of
// their first hlc. It holds what still grows alone, whatever the log's size.
type summing struct {
	no   uint32
	open [levels]map[uint64]*reconcile.Sum
	done func(k sumsKey, sum *reconcile.Sum) error // ascending in each level
}

func newSumming(no uint32, done func(k sumsKey, sum *reconcile.Sum) error) *summing {
	s := &summing{no: no, done: done}
	for n := range s.open {
		s.open[n] = make(map[uint64]*reconcile.Sum)
	}
	return s
}

func (s *summing) bucket(level int, second uint64) *reconcile.Sum {
	b := second >> levelShift[level]
	x := s.open[level][b]
	if x == nil {
		x = new(reconcile.Sum)
		s.open[level][b] = x
	}
	return x
}

func (s *summing) add(e *event.Event) {
	s.bucket(0, secondOf(e.HLC)).Add((*[32]byte)(&e.ID))
}

// pass hands over all buckets that end before a second.
func (s *summing) pass(second uint64) error {
	for n := range s.open {
		end := second >> levelShift[n]
		for _, b := range slices.Sorted(maps.Keys(s.open[n])) {
			if b >= end {
				break
			}
			sum := s.open[n][b]
			delete(s.open[n], b)
			if n < topLevel {
				s.bucket(n+1, b<<levelShift[n]).Merge(sum)
			}
			if err := s.done(sumsKey{s.no, byte(n), b}, sum); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *summing) end() error { return s.pass(math.MaxUint64) }

// storedSums compares the stored buckets of a log with what it is told, level
// by level ascending, and calls differs as tally does.
type storedSums struct {
	its     [levels]*badger.Iterator
	differs differs
}

func newStoredSums(txn *badger.Txn, no uint32, fn differs) *storedSums {
	s := &storedSums{differs: fn}
	for n := range s.its {
		s.its[n] = txn.NewIterator(badger.IteratorOptions{Prefix: append(inLog(spaceSums, no), byte(n))})
		s.its[n].Rewind()
	}
	return s
}

func (s *storedSums) close() {
	for _, it := range s.its {
		it.Close()
	}
}

func (s *storedSums) compare(k sumsKey, sum *reconcile.Sum) error {
	key, want := appendSumsKey(nil, k), appendSum(nil, sum)
	if err := s.skip(int(k.level), k.bucket); err != nil {
		return err
	}
	it := s.its[k.level]
	if !it.Valid() || !bytes.Equal(it.Item().Key(), key) {
		return s.differs(key, want, false, true)
	}
	err := it.Item().Value(func(val []byte) error {
		if bytes.Equal(val, want) {
			return nil
		}
		return s.differs(key, want, true, true)
	})
	it.Next()
	return err
}

// skip tells of stored buckets before one.
func (s *storedSums) skip(level int, bucket uint64) error {
	for it := s.its[level]; it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if len(key) == sumsKeyLen && binary.BigEndian.Uint64(key[6:]) >= bucket {
			return nil
		}
		if err := s.differs(key, nil, true, false); err != nil {
			return err
		}
	}
	return nil
}

// end tells of stored buckets that are left.
func (s *storedSums) end() error {
	for n := range s.its {
		if err := s.skip(n, math.MaxUint64); err != nil {
			return err
		}
	}
	return nil
}
