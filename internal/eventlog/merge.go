package eventlog

import (
	"container/heap"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/parley-chat/parley/internal/event"
)

// hlcMilli is one millisecond of an hlc.
const hlcMilli = 1 << 16

// spread is more than the events of one payload can lie apart: what begins
// earlier by this reaches no event here.
const spread = event.HLC(event.MaxDrift/1e6+1) * hlcMilli

func plusSpread(h event.HLC) event.HLC {
	if h > math.MaxUint64-spread {
		return math.MaxUint64
	}
	return h + spread
}

func minusSpread(h event.HLC) event.HLC { return h - min(h, spread) }

// merge walks a log in the order of (hlc, id), in one direction. It reads the
// small time records ahead of itself, as far as a payload could still hold the
// next event, and a payload only when its turn has come.
type merge struct {
	s   *Store
	txn *badger.Txn
	it  *badger.Iterator
	q   Query

	low, high Position // exclusive bounds
	heap      cursors
	last      *mergeCursor // yielded, not yet moved on
	cost      int          // events decoded, and records passed, those too that lie out of the bounds
}

// mergeCursor is one payload in a merge. Until its batch is read it stands where its
// next event can be at the earliest.
type mergeCursor struct {
	stored
	rec timeRec
	at  int
	key Position
}

func newMerge(s *Store, txn *badger.Txn, no uint32, q Query) *merge {
	m := &merge{s: s, txn: txn, q: q, high: Position{HLC: math.MaxUint64}}
	for i := range m.high.ID {
		m.high.ID[i] = 0xff
	}
	if q.After != nil {
		m.low = *q.After
	}
	if q.Before != nil {
		m.high = *q.Before
	}
	m.heap.reverse = q.Reverse
	m.it = txn.NewIterator(badger.IteratorOptions{Prefix: inLog(spaceTime, no), Reverse: q.Reverse})
	if q.Reverse {
		m.it.Seek(appendTimeKey(nil, no, m.high.HLC, math.MaxUint64))
	} else {
		m.it.Seek(appendTimeKey(nil, no, minusSpread(m.low.HLC), 0))
	}
	return m
}

// next returns the payload and place of the next event, nil at the end. What
// it returns is good until the next call.
func (m *merge) next() (*mergeCursor, error) {
	if c := m.last; c != nil {
		m.last = nil
		if m.advance(c) {
			heap.Push(&m.heap, c)
		}
	}
	for {
		if err := m.readAhead(); err != nil {
			return nil, err
		}
		if len(m.heap.list) == 0 {
			return nil, nil
		}
		c := heap.Pop(&m.heap).(*mergeCursor)
		if c.batch != nil {
			m.last = c
			return c, nil
		}
		if err := m.read(c); err != nil {
			return nil, err
		}
		if m.advance(c) {
			heap.Push(&m.heap, c)
		}
	}
}

// readAhead reads time records until none that follows can hold an event that
// comes before the top of the heap.
func (m *merge) readAhead() error {
	for m.it.ValidForPrefix(nil) {
		key := m.it.Item().Key()
		if len(key) != timeKeyLen {
			return errValue
		}
		_, first, arrival := parseTimeKey(key)
		if m.beyond(first) {
			return nil
		}
		if len(m.heap.list) > 0 {
			top := m.heap.list[0].key.HLC
			if !m.q.Reverse && first > top || m.q.Reverse && plusSpread(first) < top {
				return nil
			}
		}
		m.cost++
		if err := m.push(first, arrival); err != nil {
			return err
		}
		m.it.Next()
	}
	return nil
}

// beyond reports that payloads that begin here or later in the walk hold
// nothing in the bounds.
func (m *merge) beyond(first event.HLC) bool {
	if m.q.Reverse {
		return plusSpread(first) < m.low.HLC
	}
	return first > m.high.HLC
}

func (m *merge) push(first event.HLC, arrival uint64) error {
	c := &mergeCursor{stored: stored{arrival: arrival}, at: -1}
	err := m.it.Item().Value(func(val []byte) (err error) {
		c.rec, err = decodeTimeRec(val)
		return err
	})
	if err != nil {
		return err
	}
	last := first + event.HLC(c.rec.span)
	if last < m.low.HLC || first > m.high.HLC {
		return nil
	}
	c.key = Position{HLC: first}
	if m.q.Reverse {
		c.key = Position{HLC: last, ID: maxID}
		c.at = c.rec.count
	}
	heap.Push(&m.heap, c)
	return nil
}

var maxID = func() (id event.ID) {
	for i := range id {
		id[i] = 0xff
	}
	return id
}()

// read decodes the payload of a cursor.
func (m *merge) read(c *mergeCursor) error {
	p, err := m.s.payload(m.txn, c.arrival)
	if err != nil {
		return err
	}
	if len(p.batch.Events) != c.rec.count {
		return fmt.Errorf("payload %d has %d events, not %d", c.arrival, len(p.batch.Events), c.rec.count)
	}
	c.batch = p.batch
	m.cost += c.rec.count
	return nil
}

// advance moves a cursor to its next event that counts and lies within the
// bounds; false if there is none.
func (m *merge) advance(c *mergeCursor) bool {
	step := 1
	if m.q.Reverse {
		step = -1
	}
	for c.at += step; c.at >= 0 && c.at < c.rec.count; c.at += step {
		if !c.rec.counts.has(c.at) {
			continue
		}
		e := &c.batch.Events[c.at]
		c.key = Position{e.HLC, e.ID}
		if (m.q.After == nil || c.key.Compare(m.low) > 0) && (m.q.Before == nil || c.key.Compare(m.high) < 0) {
			return true
		}
	}
	return false
}

// cursors is a heap with the next event's payload on top.
type cursors struct {
	list    []*mergeCursor
	reverse bool
}

func (h *cursors) Len() int { return len(h.list) }

func (h *cursors) Less(i, j int) bool {
	c := h.list[i].key.Compare(h.list[j].key)
	if h.reverse {
		return c > 0
	}
	return c < 0
}

func (h *cursors) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *cursors) Push(x any)    { h.list = append(h.list, x.(*mergeCursor)) }

func (h *cursors) Pop() any {
	c := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return c
}
