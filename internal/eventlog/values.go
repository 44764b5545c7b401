package eventlog

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/reconcile"
)

// errValue says that a stored value is not what its key space holds.
var errValue = errors.New("a stored record is malformed")

// decoder reads the records below. After an error everything reads as zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || len(d.b) < n {
		d.bad, d.b = true, nil
		return make([]byte, max(n, 0))
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// end returns an error if anything was missing or is left.
func (d *decoder) end() error {
	if d.bad || len(d.b) != 0 {
		return errValue
	}
	return nil
}

// bitmap has one bit for each of at most event.MaxBatchEvents events.
type bitmap [event.MaxBatchEvents / 8]byte

func (m *bitmap) set(i int)      { m[i/8] |= 1 << (i % 8) }
func (m *bitmap) clear(i int)    { m[i/8] &^= 1 << (i % 8) }
func (m *bitmap) has(i int) bool { return m[i/8]&(1<<(i%8)) != 0 }

func (m *bitmap) count() (n int) {
	for _, b := range m {
		n += bits.OnesCount8(b)
	}
	return n
}

// timeRec says what of a payload is in the log: last hlc − first hlc, the
// number of its events, and which of them count (absent when all do).
type timeRec struct {
	span   uint64
	count  int
	counts bitmap
}

func (r *timeRec) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, r.span)
	b = binary.AppendUvarint(b, uint64(r.count))
	if r.counts.count() == r.count {
		return b
	}
	return append(b, r.counts[:(r.count+7)/8]...)
}

func decodeTimeRec(b []byte) (r timeRec, err error) {
	d := decoder{b: b}
	r.span = d.uvarint()
	n := d.uvarint()
	if d.bad || n == 0 || n > event.MaxBatchEvents {
		return r, errValue
	}
	r.count = int(n)
	if len(d.b) > 0 {
		copy(r.counts[:], d.bytes((r.count+7)/8))
		return r, d.end()
	}
	for i := range r.count {
		r.counts.set(i)
	}
	return r, nil
}

// indexRec says where an event is: its log, its own arrival number, its place
// in the payload, which is stored under arrival − place, whether its content
// is missing there, and whether it was taken out here, so that it stays out. Of an event that
// was cut after that no more is known: it is not stored.
type indexRec struct {
	arrival uint64
	place   int
	log     uint32
	erased  bool
	gone    bool
	cut     bool
}

// payload returns the arrival number under which the event's payload is stored.
func (r indexRec) payload() uint64 { return r.arrival - uint64(r.place) }

func (r indexRec) appendTo(b []byte) []byte {
	b = append(binary.AppendUvarint(b, r.arrival), byte(r.place))
	log := uint64(r.log) << 1
	if r.erased {
		log |= 1
	}
	b = binary.AppendUvarint(b, log)
	switch {
	case r.cut:
		b = append(b, 2)
	case r.gone:
		b = append(b, 1)
	}
	return b
}

func decodeIndexRec(b []byte) (indexRec, error) {
	d := decoder{b: b}
	r := indexRec{arrival: d.uvarint()}
	r.place = int(d.bytes(1)[0])
	log := d.uvarint()
	r.log, r.erased = uint32(log>>1), log&1 == 1
	if len(d.b) > 0 {
		how := d.bytes(1)[0]
		r.gone, r.cut = how == 1 || how == 2, how == 2
	}
	if uint64(r.place) >= r.arrival || r.gone && !r.erased {
		return r, errValue
	}
	return r, d.end()
}

func appendSum(b []byte, s *reconcile.Sum) []byte {
	b = binary.AppendUvarint(b, s.Count)
	for _, w := range s.IDs {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func decodeSum(b []byte) (s reconcile.Sum, err error) {
	d := decoder{b: b}
	s.Count = d.uvarint()
	for i := range s.IDs {
		s.IDs[i] = binary.LittleEndian.Uint64(d.bytes(8))
	}
	return s, d.end()
}

// logRec is what is known of a log besides its events.
type logRec struct {
	id    event.LogID
	count uint64 // events stored
	forks uint64 // of them, events whose seq another one has too, or one that retention deleted
	bytes uint64 // of the payloads stored
	floor uint64 // the first whole second of what is kept
	cut   bool   // some of its events were cut, at any time
	stale bool   // heads, missing parents, authors and forks may tell of them still
	bare  bool   // some of them had been erased
}

// thinned reports whether events of the log may have been deleted.
func (r *logRec) thinned() bool { return r.floor > 0 || r.cut }

func (r *logRec) appendTo(b []byte) []byte {
	b = append(b, r.id[:]...)
	b = binary.AppendUvarint(b, r.count)
	b = binary.AppendUvarint(b, r.forks)
	b = binary.AppendUvarint(b, r.bytes)
	b = binary.AppendUvarint(b, r.floor)
	var flags byte
	for i, f := range r.flags() {
		if *f {
			flags |= 1 << i
		}
	}
	if flags == 0 {
		return b
	}
	return append(b, flags)
}

func (r *logRec) flags() [3]*bool { return [...]*bool{&r.cut, &r.stale, &r.bare} }

func decodeLogRec(b []byte) (r logRec, err error) {
	d := decoder{b: b}
	copy(r.id[:], d.bytes(32))
	r.count, r.forks = d.uvarint(), d.uvarint()
	if len(d.b) == 0 { // of schema 1; the migration sets the others
		return r, d.end()
	}
	r.bytes, r.floor = d.uvarint(), d.uvarint()
	if len(d.b) > 0 {
		flags := d.bytes(1)[0]
		for i, f := range r.flags() {
			*f = flags&(1<<i) != 0
		}
	}
	return r, d.end()
}

// missingRec is what is known of a parent that is not stored: the newest whole
// second, at least 1, of the events that name it, and whether it lies below what
// anybody keeps, so that nobody needs to look for it. Second 0: nothing names it, it
// is the lost end of an author's chain.
type missingRec struct {
	second  uint64
	settled bool
}

func (r *missingRec) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, r.second)
	if r.settled {
		b = append(b, 1)
	}
	return b
}

func decodeMissingRec(b []byte) (r missingRec, err error) {
	if len(b) == 0 { // of schema 1
		return r, nil
	}
	d := decoder{b: b}
	r.second = binary.BigEndian.Uint64(d.bytes(8))
	if len(d.b) > 0 {
		r.settled = d.bytes(1)[0] == 1
	}
	return r, d.end()
}

// authorRec is an author's highest seq that is stored in a log and the id of
// the event that has it, the lowest id if several have.
type authorRec struct {
	seq  uint64
	last event.ID
}

func (r *authorRec) add(e *event.Event) {
	if e.Seq > r.seq || e.Seq == r.seq && e.ID.Compare(r.last) < 0 {
		r.seq, r.last = e.Seq, e.ID
	}
}

func (r *authorRec) appendTo(b []byte) []byte {
	return append(binary.AppendUvarint(b, r.seq), r.last[:]...)
}

func decodeAuthorRec(b []byte) (r authorRec, err error) {
	d := decoder{b: b}
	r.seq = d.uvarint()
	copy(r.last[:], d.bytes(32))
	return r, d.end()
}

// windowRec says which of windowSeqs of an author's seqs are stored, and which
// of them two or more events share (absent when none is).
type windowRec struct{ seqs, forks bitmap }

// add counts a seq of the window in, and says whether it was there.
func (r *windowRec) add(seq uint64) (fork bool) {
	at := int(seq % windowSeqs)
	if fork = r.seqs.has(at); fork {
		r.forks.set(at)
	}
	r.seqs.set(at)
	return fork
}

func (r *windowRec) appendTo(b []byte) []byte {
	b = append(b, r.seqs[:]...)
	if r.forks.count() == 0 {
		return b
	}
	return append(b, r.forks[:]...)
}

func decodeWindowRec(b []byte) (r windowRec, err error) {
	d := decoder{b: b}
	copy(r.seqs[:], d.bytes(len(r.seqs)))
	if len(d.b) > 0 {
		copy(r.forks[:], d.bytes(len(r.forks)))
	}
	return r, d.end()
}

// arrivalRec is the state of the arrival numbers.
type arrivalRec struct {
	clean  bool   // the store was closed in order: numbering goes on at next
	next   uint64 // clean: the next number; else the end of the leased range
	synced uint64 // every event numbered below this is known to be on disk
}

func (r *arrivalRec) appendTo(b []byte) []byte {
	var c byte
	if r.clean {
		c = 1
	}
	b = binary.AppendUvarint(append(b, c), r.next)
	return binary.AppendUvarint(b, r.synced)
}

func decodeArrivalRec(b []byte) (r arrivalRec, err error) {
	d := decoder{b: b}
	r.clean = d.bytes(1)[0] == 1
	r.next, r.synced = d.uvarint(), d.uvarint()
	return r, d.end()
}
