package eventlog

import "encoding/binary"

// checkRuns checks that what runs have can be found there, and that neither they nor memory have
// more than the events without records of their own, and of payloads that were deleted.
func (c *checker) checkRuns() error {
	x := &c.s.ids
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := uint64(0)
	count := func(p spot) {
		_, there := c.arrivals[p.arrival-uint64(p.place)]
		if _, own := c.own[p.arrival]; there && !own {
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
