package eventlog

import (
	"encoding/binary"
	"slices"
)

// runs is a set of sequence numbers as disjoint ascending runs, none touching
// the next.
type runs []run

type run struct{ first, last uint64 }

// find returns the place of the first run that ends at seq or later.
func (r runs) find(seq uint64) int {
	if n := len(r); n > 0 && r[n-1].last < seq { // the usual case: at the end
		return n
	}
	i, _ := slices.BinarySearchFunc(r, seq, func(x run, s uint64) int {
		if x.last < s {
			return -1
		}
		return 1
	})
	return i
}

func (r runs) has(seq uint64) bool {
	i := r.find(seq)
	return i < len(r) && r[i].first <= seq
}

// add returns the set with seq in it.
func (r runs) add(seq uint64) runs {
	i := r.find(seq)
	if i < len(r) && r[i].first <= seq {
		return r
	}
	before := i > 0 && r[i-1].last+1 == seq
	after := i < len(r) && r[i].first == seq+1
	switch {
	case before && after:
		r[i-1].last = r[i].last
		return slices.Delete(r, i, i+1)
	case before:
		r[i-1].last = seq
		return r
	case after:
		r[i].first = seq
		return r
	default:
		return slices.Insert(r, i, run{seq, seq})
	}
}

// max returns the highest number, 0 if there is none.
func (r runs) max() uint64 {
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1].last
}

// gaps returns what is missing between 1 and the highest number.
func (r runs) gaps() []Gap {
	var out []Gap
	next := uint64(1)
	for _, x := range r {
		if x.first > next {
			out = append(out, Gap{First: next, Last: x.first - 1})
		}
		next = x.last + 1
	}
	return out
}

func (r runs) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r)))
	var end uint64
	for _, x := range r {
		b = binary.AppendUvarint(b, x.first-end)
		b = binary.AppendUvarint(b, x.last-x.first)
		end = x.last
	}
	return b
}

func decodeRuns(d *decoder) runs {
	n := d.uvarint()
	if n > uint64(len(d.b)) { // a run takes two bytes at least
		d.bad = true
		return nil
	}
	r := make(runs, 0, n)
	var end uint64
	for range n {
		first := end + d.uvarint()
		end = first + d.uvarint()
		r = append(r, run{first, end})
	}
	return r
}

// touches reports whether first to last continues or meets one of the runs.
func (r runs) touches(first, last uint64) bool {
	i := r.find(max(first, 1) - 1)
	return i < len(r) && r[i].first-1 <= last
}
