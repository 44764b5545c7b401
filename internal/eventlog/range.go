package eventlog

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// Range returns the events of a log above its floor as the set that
// reconciliation works on, ordered by (second, id). It reads sums, and events
// only of seconds that a bound divides or that are listed; what it holds of those, all
// ranges of the store share (busySeconds). It may be used by several goroutines,
// is cheap to make, and of a log that is not stored is an empty set. Errors are
// those of reading: ErrCorrupt, ErrClosed.
func (s *Store) Range(log event.LogID) reconcile.Set { return &logRange{s: s, log: log} }

// logRange is a log as reconciliation sees it.
type logRange struct {
	s    *Store
	log  event.LogID
	cost atomic.Int64 // of what was read, in ids that lie in memory
}

// inMemory is how many ids in memory cost as much as one event that is decoded,
// or one sum.
const inMemory = 64

// Read implements reconcile.Set.
func (l *logRange) Read() int { return int((l.cost.Swap(0) + inMemory - 1) / inMemory) }

// reading is one call: a transaction, and the bounds within the floor.
type reading struct {
	*logRange
	txn      *badger.Txn
	newer    sumsNewer // go before those of txn, which may be older
	no       uint32
	from, to reconcile.Bound
}

// read calls fn with the bounds, unless there is nothing between them.
func (l *logRange) read(from, to reconcile.Bound, fn func(r *reading) error) error {
	no, _ := l.s.logs.number(l.log)
	if no == 0 {
		return nil
	}
	if floor := l.s.logs.floor(no); from.Second < floor {
		from = reconcile.At(floor)
	}
	if to.Second > endOfTime {
		to = reconcile.At(endOfTime)
	}
	if from.Compare(to) >= 0 {
		return nil
	}
	return l.s.view(func(txn *badger.Txn) error {
		return fn(&reading{logRange: l, txn: txn, newer: l.s.derived.sumsOf(no), no: no, from: from, to: to})
	})
}

// divides reports whether a bound lies within its second, not before it.
func divides(b reconcile.Bound) bool { return b.Compare(reconcile.At(b.Second)) > 0 }

// Sum implements reconcile.Set.
func (l *logRange) Sum(from, to reconcile.Bound) (sum reconcile.Sum, err error) {
	err = l.read(from, to, func(r *reading) error {
		return r.parts(func(start, end uint64) error {
			return r.eachBucket(start, end, func(_ sumsKey, x *reconcile.Sum) error {
				sum.Merge(x)
				return nil
			})
		}, func(second uint64) error {
			part, err := r.partOf(second)
			sum.Merge(&part)
			return err
		})
	})
	return sum, err
}

// parts divides the range into whole seconds and the parts of a second at its
// edges, and calls whole and part in ascending order.
func (r *reading) parts(whole func(start, end uint64) error, part func(second uint64) error) error {
	start := r.from.Second
	if divides(r.from) {
		if err := part(start); err != nil || start == r.to.Second {
			return err
		}
		start++
	}
	if start < r.to.Second {
		if err := whole(start, r.to.Second); err != nil {
			return err
		}
	}
	if divides(r.to) {
		return part(r.to.Second)
	}
	return nil
}

// eachBucket calls fn with the stored buckets that whole seconds consist of,
// ascending, the largest that fit.
func (r *reading) eachBucket(start, end uint64, fn func(k sumsKey, sum *reconcile.Sum) error) error {
	return r.eachFrom(topLevel, start, end, fn)
}

func (r *reading) eachFrom(level int, start, end uint64, fn func(k sumsKey, sum *reconcile.Sum) error) error {
	if start >= end {
		return nil
	}
	shift := levelShift[level]
	first, last := (start+1<<shift-1)>>shift, end>>shift
	if first >= last {
		return r.eachFrom(level-1, start, end, fn)
	}
	if level > 0 {
		if err := r.eachFrom(level-1, start, first<<shift, fn); err != nil {
			return err
		}
	}
	if err := r.scanLevel(level, first, last, fn); err != nil || level == 0 {
		return err
	}
	return r.eachFrom(level-1, last<<shift, end, fn)
}

// scanLevel reads the buckets of one level from first until before last.
func (r *reading) scanLevel(level int, first, last uint64, fn func(k sumsKey, sum *reconcile.Sum) error) error {
	it := r.txn.NewIterator(badger.IteratorOptions{Prefix: append(inLog(spaceSums, r.no), byte(level))})
	defer it.Close()
	newer := r.newer.level(byte(level), first, last)
	tell := func(bucket uint64, sum reconcile.Sum) error {
		r.cost.Add(inMemory)
		if sum.Count == 0 {
			return nil
		}
		return fn(sumsKey{r.no, byte(level), bucket}, &sum)
	}
	for it.Seek(appendSumsKey(nil, sumsKey{r.no, byte(level), first})); it.Valid(); it.Next() {
		key := it.Item().Key()
		if len(key) != sumsKeyLen {
			return errValue
		}
		bucket := binary.BigEndian.Uint64(key[6:])
		if bucket >= last {
			break
		}
		if err := newer.until(bucket, tell); err != nil {
			return err
		}
		sum, ok := newer.take(bucket)
		if !ok {
			err := it.Item().Value(func(val []byte) (err error) {
				sum, err = decodeSum(val)
				return err
			})
			if err != nil {
				return err
			}
		}
		if err := tell(bucket, sum); err != nil {
			return err
		}
	}
	return newer.until(last, tell)
}

// within reports whether an item lies in the range.
func (r *reading) within(x *reconcile.Item) bool { return !r.from.Includes(x) && r.to.Includes(x) }

// partOf returns the sum of what the range has of one second.
func (r *reading) partOf(second uint64) (sum reconcile.Sum, err error) {
	err = r.eachOf(second, func(x *reconcile.Item) {
		if r.within(x) {
			sum.Add(&x.ID)
		}
	})
	return sum, err
}

// eachOf calls fn with the items of a second that may lie within the range, in
// any order.
func (r *reading) eachOf(second uint64, fn func(x *reconcile.Item)) error {
	k := sumsKey{r.no, 0, second}
	sum, ok := r.newer[k]
	var err error
	if !ok {
		sum, _, err = getRecord(r.txn, appendSumsKey(nil, k), decodeSum)
	}
	if err != nil || sum.Count == 0 {
		return err
	}
	if sum.Count > r.s.busy.limit {
		return r.walk(second, second+1, func(x *reconcile.Item) bool { fn(x); return true })
	}
	ids, err := r.s.busy.get(r.no, second, sum, func(add func(id event.ID)) error {
		return r.walk(second, second+1, func(x *reconcile.Item) bool { add(x.ID); return true })
	})
	x := reconcile.Item{Second: second}
	before := func(b reconcile.Bound) int {
		return sort.Search(len(ids), func(i int) bool { x.ID = ids[i]; return !b.Includes(&x) })
	}
	low := before(r.from)
	ids = ids[low:max(low, before(r.to))]
	r.cost.Add(int64(len(ids)))
	for _, x.ID = range ids {
		fn(&x)
	}
	return err
}

// walk reads the events of whole seconds, second by second, those of one second
// by (hlc, id), until fn returns false.
func (r *reading) walk(start, end uint64, fn func(x *reconcile.Item) bool) error {
	var q Query
	if end < endOfTime {
		q.Before = &Position{HLC: hlcOf(end)}
	}
	if start > 0 {
		q.After = &Position{HLC: hlcOf(start) - 1, ID: maxID}
	}
	m := newMerge(r.s, r.txn, r.no, q)
	defer m.it.Close()
	defer func() { r.cost.Add(int64(m.cost) * inMemory) }()
	for {
		c, err := m.next()
		if err != nil || c == nil {
			return err
		}
		e := &c.batch.Events[c.at]
		if x := (reconcile.Item{Second: secondOf(e.HLC), ID: e.ID}); !fn(&x) {
			return nil
		}
	}
}

// Items implements reconcile.Set. It reads whole seconds, however few of the
// items of the last one are asked for.
func (l *logRange) Items(from, to reconcile.Bound, limit int) (out []reconcile.Item, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = l.read(from, to, func(r *reading) error {
		g := gathering{limit: limit}
		err := r.parts(func(start, end uint64) error { return r.gather(&g, start, end) }, func(second uint64) error { return r.gatherOf(&g, second) })
		out = g.items
		return doneIsNil(err)
	})
	return out, err
}

// inOne reports whether the range lies within one second.
func (r *reading) inOne() bool {
	return r.from.Second == r.to.Second || r.from.Second+1 == r.to.Second && !divides(r.to)
}

// gatherOf gathers what the range has of one second; errDone: that is enough.
func (r *reading) gatherOf(g *gathering, second uint64) error {
	err := r.eachOf(second, func(x *reconcile.Item) {
		if r.within(x) {
			g.add(x)
		}
	})
	return errors.Join(err, g.endSecond())
}

// gather gathers whole seconds, several in one walk unless they are busy.
func (r *reading) gather(g *gathering, start, end uint64) error {
	count := uint64(len(g.items))
	err := r.scanLevel(0, start, end, func(k sumsKey, sum *reconcile.Sum) error {
		if sum.Count >= busySecond {
			if err := r.gatherQuiet(g, start, k.bucket); err != nil {
				return err
			}
			start = k.bucket + 1
			return r.gatherOf(g, k.bucket)
		}
		if count += sum.Count; count < uint64(g.limit) {
			return nil
		}
		end = k.bucket + 1
		return errDone
	})
	if err != nil && (!errors.Is(err, errDone) || len(g.items) == g.limit) {
		return err
	}
	return r.gatherQuiet(g, start, end)
}

func (r *reading) gatherQuiet(g *gathering, start, end uint64) error {
	if start >= end {
		return nil
	}
	second, enough := start, error(nil)
	err := r.walk(start, end, func(x *reconcile.Item) bool {
		if x.Second != second {
			second, enough = x.Second, g.endSecond()
		}
		if enough == nil {
			g.add(x)
		}
		return enough == nil
	})
	return errors.Join(err, enough, g.endSecond())
}

// gathering keeps the first items, up to a limit, of seconds that come in order
// and whose items do not. It holds twice the limit at most.
type gathering struct {
	limit  int
	items  []reconcile.Item
	sorted int // items of earlier seconds
}

func (g *gathering) add(x *reconcile.Item) {
	if g.items = append(g.items, *x); len(g.items) >= 2*g.limit+64 {
		g.cut()
	}
}

func (g *gathering) cut() {
	slices.SortFunc(g.items[g.sorted:], reconcile.Item.Compare)
	g.items = g.items[:min(len(g.items), g.limit)]
}

// endSecond returns errDone when there are as many as there may be.
func (g *gathering) endSecond() error {
	g.cut()
	g.sorted = len(g.items)
	if g.sorted == g.limit {
		return errDone
	}
	return nil
}
