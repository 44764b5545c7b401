package eventlog

import (
	"encoding/binary"
	"maps"

	"github.com/parley-chat/parley/internal/event"
)

// checkRuns checks that what runs have can be found there, and that neither they nor memory have
// more than the events without records of their own, those of payloads that were deleted, and
// those that were cut out of others.
func (c *checker) checkRuns() error {
	x := &c.s.ids
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := uint64(0)
	count := func(p spot) {
		_, there := c.arrivals[p.arrival-uint64(p.place)]
		_, own := c.own[p.arrival]
		if _, cut := c.cut[p.arrival]; there && !own && !cut {
			n++
		}
	}
	for _, part := range []map[shortID]spot{x.fresh, x.frozen} {
		for _, p := range part {
			count(p)
		}
	}
	for _, r := range x.runs {
		if err := c.checkRun(r, count); err != nil {
			return err
		}
	}
	if want := c.events - uint64(len(c.own)); n != want {
		c.found("%d events without records of their own have %d places in memory and runs", want, n)
	}
	return nil
}

func (c *checker) checkRun(r *run, count func(p spot)) error {
	n, last := uint64(0), runEntry{}
	err := scan(c.txn, binary.BigEndian.AppendUint32([]byte{spaceRuns}, r.no), func(key, val []byte) error {
		block := binary.BigEndian.Uint32(key[5:])
		if block == filterBlock {
			return nil
		}
		if len(val)%runEntryLen != 0 {
			return errValue
		}
		for i := range len(val) / runEntryLen {
			e := runEntryAt(val, i)
			if e.compare(last) <= 0 || e.id.prefix(r.bits) != block || !r.filter.has(e.id) {
				c.found("entry %x of run %d is not where it is looked for", e.id, r.no)
			}
			last = e
			n++
			count(e.spot)
		}
		return nil
	})
	if n != r.count {
		c.found("run %d has %d entries, not %d", r.no, n, r.count)
	}
	return err
}

// checkCuts checks what is stored of the cuts.
func (c *checker) checkCuts() error {
	set, splits := make(cutSet), make(map[uint64]splitRec)
	err := scan(c.txn, []byte{spaceCuts}, func(key, val []byte) error {
		rec, err := decodeCutRec(val)
		set[event.Author(key[1:])] = rec.authorCut
		return err
	})
	if err != nil {
		return err
	}
	err = scan(c.txn, []byte{spaceSplit}, func(key, val []byte) error {
		arrival := binary.BigEndian.Uint64(key[1:])
		if _, ok := c.arrivals[arrival]; !ok {
			c.found("payload %d is not there, and something of it was cut", arrival)
		}
		rec, err := decodeSplitRec(val)
		splits[arrival] = rec
		return err
	})
	same := func(a, b *authorCut) bool { return a.swept == b.swept && a.same(b) }
	if !maps.EqualFunc(set, c.s.cutsNow(), same) {
		c.found("the cuts held are not those stored")
	}
	if !maps.Equal(splits, c.s.ids.splits) {
		c.found("what is held of payloads that were cut is not what is stored")
	}
	return err
}
