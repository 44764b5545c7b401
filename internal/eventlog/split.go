package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/parley-chat/parley/internal/reconcile"
)

// Split implements reconcile.Set. Parts end where seconds do, as the sums say,
// without reading events but those of a second that a bound of the range divides.
// Only a range whose items are all of one second is divided by id.
func (l *logRange) Split(from, to reconcile.Bound, n int) (out []reconcile.Bound, err error) {
	if n < 2 {
		n = 2
	}
	err = l.read(from, to, func(r *reading) error {
		out, err = r.split(n)
		return err
	})
	return out, err
}

func (r *reading) split(n int) ([]reconcile.Bound, error) {
	if r.inOne() {
		return r.splitSecond(r.from.Second, n)
	}
	pieces, total, err := r.pieces()
	if err != nil || total < 2 {
		return nil, err
	}
	c := cutting{r: r, n: uint64(n), total: total, next: 1}
	for _, p := range pieces {
		if err := c.piece(p); err != nil {
			return nil, err
		}
	}
	if len(c.bounds) > 0 {
		return c.bounds, nil
	}
	return r.splitSecond(c.lastSecond, n)
}

// piece is a part of a range that is not empty: a whole bucket, or what the
// range has of a second.
type piece struct {
	key   sumsKey
	count uint64
}

func (p *piece) start() uint64 { return p.key.bucket << levelShift[p.key.level] }

// pieces returns what a range consists of, ascending, and how much it is.
func (r *reading) pieces() (out []piece, total uint64, err error) {
	add := func(k sumsKey, sum *reconcile.Sum) error {
		if sum.Count > 0 {
			out = append(out, piece{k, sum.Count})
			total += sum.Count
		}
		return nil
	}
	err = r.parts(func(start, end uint64) error { return r.eachBucket(start, end, add) }, func(second uint64) error {
		sum, err := r.partOf(second)
		return errors.Join(err, add(sumsKey{r.no, 0, second}, &sum))
	})
	return out, total, err
}

// cutting walks over the pieces of a range and cuts it near each n-th of its
// items, looking into a bucket only when such a place lies in it.
type cutting struct {
	r          *reading
	n, total   uint64
	next       uint64 // number of the cut that comes next
	passed     uint64 // items so far
	cut        uint64 // items before the last cut
	pending    bool   // a cut before the next second that is not empty
	lastSecond uint64
	bounds     []reconcile.Bound
}

// target returns after how many items the next cut should come.
func (c *cutting) target() uint64 { return c.next * c.total / c.n }

func (c *cutting) piece(p piece) error {
	c.settle(p)
	if c.next >= c.n || c.passed+p.count < c.target() {
		c.pass(p)
		return nil
	}
	if p.key.level > 0 {
		level := int(p.key.level) - 1
		shift := levelShift[p.key.level] - levelShift[level]
		return c.r.scanLevel(level, p.key.bucket<<shift, (p.key.bucket+1)<<shift, func(k sumsKey, sum *reconcile.Sum) error {
			return c.piece(piece{k, sum.Count})
		})
	}
	if c.passed > c.cut && c.target()-min(c.passed, c.target()) <= c.passed+p.count-c.target() {
		c.pending = true
		c.settle(p)
	}
	c.pass(p)
	if c.next < c.n && c.passed >= c.target() && c.passed < c.total {
		c.pending = true
	}
	return nil
}

// settle makes a pending cut before a piece.
func (c *cutting) settle(p piece) {
	if !c.pending {
		return
	}
	c.pending = false
	c.bounds = append(c.bounds, reconcile.At(p.start()))
	c.cut = c.passed
	for c.next++; c.next < c.n && c.target() <= c.passed; c.next++ {
	}
}

func (c *cutting) pass(p piece) {
	c.passed += p.count
	c.lastSecond = p.start()
}

// splitSecond divides what a range has of one second by id: into bins of the 16
// bits at the first byte in which the lowest and the highest id differ, so that at
// least two of them are not empty.
func (r *reading) splitSecond(second uint64, n int) ([]reconcile.Bound, error) {
	var low, high [32]byte
	count := 0
	err := r.eachOf(second, func(x *reconcile.Item) {
		if !r.within(x) {
			return
		}
		if count == 0 || bytes.Compare(x.ID[:], low[:]) < 0 {
			low = x.ID
		}
		if count == 0 || bytes.Compare(x.ID[:], high[:]) > 0 {
			high = x.ID
		}
		count++
	})
	if err != nil || count < 2 || low == high {
		return nil, err
	}
	at := 0
	for low[at] == high[at] {
		at++
	}
	at = min(at, 30)
	bins := make([]uint32, 1<<16)
	err = r.eachOf(second, func(x *reconcile.Item) {
		if r.within(x) {
			bins[binary.BigEndian.Uint16(x.ID[at:])]++
		}
	})
	return cutBins(second, low[:at], bins, count, n), err
}

// cutBins returns bounds before bins, near each n-th of count items.
func cutBins(second uint64, prefix []byte, bins []uint32, count, n int) (out []reconcile.Bound) {
	passed, cut := 0, 0
	for i, b := range bins {
		if b == 0 {
			continue
		}
		if target := (len(out) + 1) * count / n; passed > cut && len(out) < n-1 && (passed >= target || target-passed <= passed+int(b)-target) {
			out = append(out, reconcile.Bound{Second: second, Prefix: binary.BigEndian.AppendUint16(bytes.Clone(prefix), uint16(i))})
			cut = passed
		}
		passed += int(b)
	}
	return out
}
