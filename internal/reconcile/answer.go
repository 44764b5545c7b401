package reconcile

// Tuning as in the published implementations: replies are then the same, byte
// for byte.
const (
	splitInto  = 16            // parts of a range whose fingerprints differ
	listBelow  = 2 * splitInto // a range of fewer items is listed
	reserve    = 200           // bytes left for the end of a message that is full
	minLimit   = 4096          // of a reply's bytes
	listAtMost = 64            // items read of a range that had fewer than listBelow
)

// mostRead ends a reply when the set has read so much for it.
const mostRead = 1 << 16

// Work is what an answer cost.
type Work struct {
	Ranges int // questions to the set
	Read   int // what it read for them, as Set.Read says
}

// Answer replies to a message, without keeping anything between messages.
// Nothing before lowest is compared or told. The reply has at most limit bytes
// (minLimit, if limit is less): what does not fit is one range at its end, up
// to infinity, with its fingerprint. So is what is left when 65,536 items and sums
// were read, which only the last range answered goes beyond. Work is told with an
// error too. A message of another version is answered
// by the one byte of this version. Errors: ErrForm, the set's.
//
// spec: 06-sync §3
func Answer(set Set, lowest Bound, msg []byte, limit int) (reply []byte, w Work, err error) {
	if len(msg) > 0 && msg[0] != version && msg[0]&0xf0 == version&0xf0 {
		return []byte{version}, w, nil
	}
	parts, err := decode(msg)
	if err != nil {
		return nil, w, err
	}
	a := answer{set: set, out: newEncoder(), full: max(limit, minLimit) - reserve}
	for i := range parts {
		p := &parts[i]
		if p.from.Compare(lowest) < 0 {
			if p.to.Compare(lowest) <= 0 {
				a.skipped, a.skips = p.to, true
				continue
			}
			a.skipped, a.skips, p.from = lowest, true, lowest
		}
		full, err := a.part(p)
		if a.work.Read += set.Read(); err != nil {
			return nil, a.work, err
		}
		if full {
			break
		}
	}
	return a.out.b, a.work, nil
}

// answer is a reply in the making.
type answer struct {
	set     Set
	out     encoder
	full    int   // more bytes than this end the reply
	skipped Bound // up to here nothing is to be said
	skips   bool  // and that is not written yet
	work    Work
}

// flush writes that nothing is said up to here.
func (a *answer) flush() {
	if a.skips {
		a.out.skip(a.skipped)
		a.skips = false
	}
}

// part answers one range, and says whether the reply is full.
func (a *answer) part(p *part) (full bool, err error) {
	switch {
	case p.mode == modeSkip:
		a.skipped, a.skips = p.to, true
		return false, nil
	case a.work.Read >= mostRead:
		return true, a.rest(p.from)
	case p.mode == modeFingerprint:
		return a.compare(p)
	default:
		return a.list(p.from, p.to)
	}
}

func (a *answer) sum(from, to Bound) (Sum, error) {
	a.work.Ranges++
	return a.set.Sum(from, to)
}

func (a *answer) compare(p *part) (full bool, err error) {
	s, err := a.sum(p.from, p.to)
	if err != nil {
		return false, err
	}
	if f := s.Fingerprint(); string(f[:]) == string(p.fingerprint) {
		a.skipped, a.skips = p.to, true
		return false, nil
	}
	before := *a
	a.flush()
	if err := a.divide(p.from, p.to, s.Count); err != nil {
		return false, err
	}
	if len(a.out.b) <= a.full {
		return false, nil
	}
	before.work = a.work
	*a = before // the bytes written since are overwritten
	return true, a.rest(p.from)
}

// divide says what there is in a range: its ids if they are few, else the
// fingerprints of its parts.
func (a *answer) divide(from, to Bound, count uint64) error {
	if count < listBelow {
		items, err := a.items(from, to, listAtMost)
		if err != nil {
			return err
		}
		if len(items) < listAtMost { // else many came meanwhile
			a.out.ids(to, items)
			return nil
		}
	}
	bounds, err := a.set.Split(from, to, splitInto)
	if err != nil {
		return err
	}
	a.work.Ranges++
	if len(bounds) >= splitInto {
		bounds = bounds[:splitInto-1]
	}
	for _, b := range append(bounds, to) {
		s, err := a.sum(from, b)
		if err != nil {
			return err
		}
		a.out.fingerprint(b, &s)
		from = b
	}
	return nil
}

func (a *answer) items(from, to Bound, limit int) ([]Item, error) {
	items, err := a.set.Items(from, to, limit)
	a.work.Ranges++
	return items, err
}

// list tells all ids of a range, as far as they fit.
func (a *answer) list(from, to Bound) (full bool, err error) {
	room := max(a.full-len(a.out.b), 0)/idSize + 1
	items, err := a.items(from, to, room+1)
	if err != nil {
		return false, err
	}
	a.flush()
	end := to
	if len(items) > room {
		end = Bound{items[room].Second, items[room].ID[:]}
		items = items[:room]
	}
	a.out.ids(end, items)
	if len(a.out.b) <= a.full || end.Second == Infinity {
		return false, nil
	}
	return true, a.rest(end)
}

// rest ends a full reply: one fingerprint for all that has not been answered.
func (a *answer) rest(from Bound) error {
	a.flush()
	s, err := a.sum(from, At(Infinity))
	if err != nil {
		return err
	}
	a.out.fingerprint(At(Infinity), &s)
	return nil
}
