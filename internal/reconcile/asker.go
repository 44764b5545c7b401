package reconcile

import (
	"errors"
	"fmt"
	"slices"
)

// Bounds of the asking side. spec: 06-sync §4
const (
	maxOpen     = 4096    // ranges still to be asked for: those of the far end are joined
	maxAsked    = 128     // ranges of one message
	maxCompared = 8192    // own items that one list is compared with
	maxGuess    = 8192    // items that the peer may be expected to list at once
	partReply   = 1 << 10 // bytes that answer a fingerprint, about
	listMargin  = 16      // items more than the range beside it had
	roughBytes  = 48 + 48 // two bounds, a mode, a fingerprint
	minute      = 60      // seconds
	hour        = 60 * minute
	day         = 24 * hour
	week        = 7 * day
)

// ErrAnswer is what a reply is that lies outside of what was asked, or asks to
// ask the same again.
var ErrAnswer = errors.New("reconciliation reply is no answer to what was asked")

// span is a range that is still to be compared.
type span struct {
	from, to Bound
	kin      *kin
}

// kin is what is guessed of ranges that came from dividing one: the peer's
// items in each. A peer divides evenly, so one of them tells of the others.
type kin struct {
	guess uint64
	new   bool // never divided: ask for no list
}

// Asker is the side that finds out. It asks for the newest ranges first, unless
// it is told otherwise, and keeps the others for later, in bounded memory whatever the peer replies:
//
//	a := reconcile.NewAsker(set, lowest, now, count)
//	for {
//		msg, err := a.Next(limit, replyLimit)   // nil: finished
//		…                                       // send it, read the reply
//		found, err := a.Take(reply)             // what to fetch, at once if you like
//	}
//
// It sends fingerprints and short lists only, and needs no more of its set than
// a page at a time. One goroutine at a time may use it.
type Asker struct {
	set     Set
	open    []span // ascending, apart
	asked   []span // by the message under way, ascending
	oldest  bool   // first
	differs bool
}

// Found is what a reply tells.
type Found struct {
	Need [][idSize]byte // the peer has them and the set has not
	Have int            // how many the set has in listed ranges and the peer has not
}

// NewAsker returns an Asker that compares all from lowest to highest, which is
// not within. now is the present second: the last hour, day and week are asked
// for on their own, so that they come first. count is how many items the peer
// says it has; what it says changes the number of rounds, nothing else.
func NewAsker(set Set, lowest, highest Bound, now, count uint64) *Asker {
	a := &Asker{set: set}
	from := lowest
	for _, age := range []uint64{week, day, hour, 0} {
		to := highest
		if at := At(now - min(now, age)); age > 0 && at.Compare(highest) < 0 {
			to = at
		}
		if from.Compare(to) < 0 {
			a.open = append(a.open, span{from, to, &kin{guess: count, new: true}})
			from = to
		}
	}
	return a
}

// OldestFirst has it ask for the oldest ranges first. It is called before Next.
func (a *Asker) OldestFirst() { a.oldest = true }

// Differs reports whether anything was found different so far.
func (a *Asker) Differs() bool { return a.differs }

// Open returns how many ranges are left to be compared.
func (a *Asker) Open() int { return len(a.open) + len(a.asked) }

// Next returns the next message of at most limit bytes, nil if everything is
// compared. The reply is expected to have at most reply bytes, and what is
// asked is chosen so that it fits as far as can be told. Errors are the set's.
func (a *Asker) Next(limit, reply int) ([]byte, error) {
	sums := make([]Sum, 0, 16)
	for size, weight := 1, 0; len(sums) < min(len(a.open), maxAsked); {
		s := &a.open[len(sums)]
		if !a.oldest {
			s = &a.open[len(a.open)-1-len(sums)]
		}
		sum, err := a.set.Sum(s.from, s.to)
		if err != nil {
			return nil, err
		}
		bytes, w := s.cost(&sum)
		if size, weight = size+bytes, weight+w; len(sums) > 0 && (size > limit || weight > reply-reserve) {
			break
		}
		sums = append(sums, sum)
	}
	from := 0
	if !a.oldest {
		from = len(a.open) - len(sums)
		slices.Reverse(sums)
	}
	a.asked = append(a.asked[:0], a.open[from:from+len(sums)]...)
	a.open = slices.Delete(a.open, from, from+len(sums))
	if len(a.asked) == 0 {
		return nil, nil
	}
	return a.message(sums)
}

// lists reports whether a range is asked for by listing what there is here: the
// peer then lists all that it has. It is not, if that would be too much.
func (s *span) lists(sum *Sum) bool {
	return !s.kin.new && sum.Count < listBelow && s.kin.guess <= maxGuess
}

// cost returns the bytes that asking takes, and about how many the reply has.
func (s *span) cost(sum *Sum) (bytes, weight int) {
	if !s.lists(sum) {
		return roughBytes, partReply
	}
	return roughBytes + idSize*int(sum.Count), roughBytes + idSize*int(max(s.kin.guess, sum.Count))
}

func (a *Asker) message(sums []Sum) ([]byte, error) {
	e := newEncoder()
	end := At(0)
	for i := range a.asked {
		s := &a.asked[i]
		if end.Compare(s.from) < 0 {
			e.skip(s.from)
		}
		end = s.to
		if !s.lists(&sums[i]) {
			e.fingerprint(s.to, &sums[i])
			continue
		}
		items, err := a.set.Items(s.from, s.to, listBelow)
		if err != nil {
			return nil, err
		}
		if len(items) == listBelow { // many came meanwhile
			e.fingerprint(s.to, &sums[i])
			continue
		}
		e.ids(s.to, items)
	}
	return e.b, nil
}

// Take reads the reply to the last message. Errors: ErrForm, ErrVersion,
// ErrAnswer, the set's; after an error the Asker is of no more use.
func (a *Asker) Take(reply []byte) (f Found, err error) {
	if len(reply) == 1 && reply[0] != version {
		return f, ErrVersion
	}
	parts, err := decode(reply)
	if err != nil {
		return f, err
	}
	t := taking{a: a, found: &f}
	for i := range parts {
		if parts[i].mode == modeSkip {
			continue
		}
		if err := t.part(&parts[i], i == len(parts)-1); err != nil {
			return f, err
		}
	}
	t.leave()
	a.asked = a.asked[:0]
	if a.oldest {
		a.open = slices.Insert(a.open, 0, t.open...)
	} else {
		a.open = append(a.open, t.open...)
	}
	a.join()
	return f, nil
}

// join makes one range of those asked for last when they are too many. What lies
// between them is compared again, no more.
func (a *Asker) join() {
	n := len(a.open) - maxOpen + 1
	if n < 2 {
		return
	}
	from := 0
	if a.oldest {
		from = len(a.open) - n
	}
	joined := span{a.open[from].from, a.open[from+n-1].to, &kin{new: true}}
	for i := range a.open[from : from+n] {
		joined.kin.guess += a.open[from+i].kin.guess
	}
	a.open = slices.Replace(a.open, from, from+n, joined)
}

// taking is a reply being read.
type taking struct {
	a     *Asker
	found *Found
	at    int    // the asked range that is being answered
	open  []span // what it leaves open
	parts int    // fingerprints that differ in the range at
	kin   *kin   // of those
}

// part takes in one range of a reply that is not skipped.
func (t *taking) part(p *part, last bool) error {
	asked := t.a.asked
	for t.at < len(asked) && asked[t.at].to.Compare(p.from) <= 0 {
		t.leave()
		t.at++
	}
	within := t.at < len(asked) && asked[t.at].from.Compare(p.from) <= 0 && p.to.Compare(asked[t.at].to) <= 0
	whole := within && p.from.Compare(asked[t.at].from) == 0 && p.to.Compare(asked[t.at].to) == 0
	rest := last && p.mode == modeFingerprint && p.to.Second == Infinity && p.from.Compare(asked[0].from) > 0
	switch {
	case rest && (whole || !within):
		return t.rest(p)
	case !within:
		return fmt.Errorf("%w: not asked for", ErrAnswer)
	case p.mode == modeIDs:
		return t.list(p)
	case whole:
		return fmt.Errorf("%w: the same range", ErrAnswer)
	default:
		return t.divided(p)
	}
}

// leave ends an asked range: its kin are guessed anew.
func (t *taking) leave() {
	if t.kin != nil && t.parts > 1 {
		t.kin.guess = t.kin.guess/uint64(t.parts) + 1
	}
	t.parts, t.kin = 0, nil
}

func (t *taking) same(p *part) (bool, error) {
	s, err := t.a.set.Sum(p.from, p.to)
	f := s.Fingerprint()
	return string(f[:]) == string(p.fingerprint), err
}

// divided leaves a part of an asked range open if it differs.
func (t *taking) divided(p *part) error {
	if t.kin == nil {
		t.kin = &kin{guess: t.a.asked[t.at].kin.guess}
	}
	t.parts++
	t.a.differs = true
	same, err := t.same(p)
	if err == nil && !same {
		t.open = append(t.open, span{p.from.clone(), p.to.clone(), t.kin})
	}
	return err
}

// rest opens again what a full reply did not come to.
func (t *taking) rest(p *part) error {
	t.a.differs = true
	if same, err := t.same(p); same || err != nil {
		return err
	}
	for ; t.at < len(t.a.asked); t.at++ {
		t.leave()
		s := t.a.asked[t.at]
		if s.from.Compare(p.from) < 0 {
			s.from = p.from.clone()
		}
		t.open = append(t.open, s)
	}
	return nil
}

// list compares what the peer has with what is here. If that is very much, all
// that the peer lists counts as needed.
func (t *taking) list(p *part) error {
	items, err := t.a.set.Items(p.from, p.to, maxCompared+1)
	if err != nil {
		return err
	}
	if whole := &t.a.asked[t.at]; p.to.Compare(whole.to) == 0 {
		whole.kin.guess = min(whole.kin.guess, uint64(len(p.ids)/idSize)*2+listMargin)
	}
	theirs := make(map[[idSize]byte]bool, len(p.ids)/idSize) // value: the set has it
	for b := p.ids; len(b) > 0; b = b[idSize:] {
		theirs[[idSize]byte(b)] = false
	}
	if len(items) <= maxCompared {
		for i := range items {
			if _, ok := theirs[items[i].ID]; ok {
				theirs[items[i].ID] = true
			} else {
				t.found.Have++
			}
		}
	}
	for b := p.ids; len(b) > 0; b = b[idSize:] {
		if id := [idSize]byte(b); !theirs[id] {
			theirs[id] = true // once
			t.found.Need = append(t.found.Need, id)
		}
	}
	t.a.differs = t.a.differs || len(t.found.Need) > 0 || t.found.Have > 0 || len(items) > maxCompared
	return nil
}

// clone returns a bound that shares no memory with a message.
func (b Bound) clone() Bound { return Bound{b.Second, slices.Clone(b.Prefix)} }
