package eventlog

// Run is a run of sequence numbers, both ends included.
type Run struct{ First, Last uint64 }

// runs is a set of sequence numbers as ascending runs, none touching the next.
type runs []Run

// add returns the set with a higher number in it.
func (r runs) add(seq uint64) runs {
	if n := len(r); n > 0 && r[n-1].Last+1 == seq {
		r[n-1].Last = seq
		return r
	}
	return append(r, Run{seq, seq})
}

// addWindow returns the set with what a bitmap has of a window of higher numbers.
func (r runs) addWindow(window uint64, m *bitmap) runs {
	for i := range windowSeqs {
		if m.has(int(i)) {
			r = r.add(window*windowSeqs + i)
		}
	}
	return r
}

// gaps returns what is missing between 1 and last.
func (r runs) gaps(last uint64) (out []Run) {
	next := uint64(1)
	for _, x := range r {
		if x.First > next {
			out = append(out, Run{next, x.First - 1})
		}
		next = x.Last + 1
	}
	if next <= last {
		out = append(out, Run{next, last})
	}
	return out
}
