package eventlog

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/dgraph-io/badger/v4"
)

// A run is a list of ids and where their events are, ascending, in blocks: block n has those
// whose first bits are n. Short ids are random, so a block has some runBlock of them.

// runBlock is how many entries a block has at most on average: of so many few blocks are beyond
// valueThreshold and go to the value log.
const runBlock = 24

// runEntryLen is the length of an entry: short id, arrival of 6 bytes, log of 4, place.
const runEntryLen = len(shortID{}) + 6 + 4 + 1

type runEntry struct {
	id shortID
	spot
}

func (e runEntry) compare(o runEntry) int {
	return cmp.Or(bytes.Compare(e.id[:], o.id[:]), cmp.Compare(e.arrival, o.arrival))
}

// prefix returns the first bits of an id.
func (id *shortID) prefix(bits uint8) uint32 {
	return uint32(uint64(binary.BigEndian.Uint32(id[:])) >> (32 - bits))
}

func (e *runEntry) appendTo(b []byte) []byte {
	b = append(b, e.id[:]...)
	b = append(b, byte(e.arrival>>40), byte(e.arrival>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(e.arrival))
	b = binary.BigEndian.AppendUint32(b, e.log)
	return append(b, e.place)
}

func runEntryAt(b []byte, i int) (e runEntry) {
	b = b[i*runEntryLen : (i+1)*runEntryLen]
	e.id = shortID(b)
	b = b[len(e.id):]
	e.arrival = uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
	e.log, e.place = binary.BigEndian.Uint32(b[6:]), b[10]
	return e
}

// run is a run on disk.
type run struct {
	no     uint32
	bits   uint8  // of an id that name its block
	count  uint64 // entries
	filter filter
}

func newRun(no uint32, count uint64) *run {
	r := &run{no: no, count: count}
	for count>>r.bits > runBlock {
		r.bits++
	}
	return r
}

// blocks is how many blocks a run has.
func (r *run) blocks() uint64 { return 1 << r.bits }

// filterBlock is the number under which a run has its filter.
const filterBlock = 1<<32 - 1

func appendRunKey(b []byte, no, block uint32) []byte {
	b = binary.BigEndian.AppendUint32(append(b, spaceRuns), no)
	return binary.BigEndian.AppendUint32(b, block)
}

const runKeyLen = 1 + 4 + 4

// find looks for an id.
func (r *run) find(txn *badger.Txn, id shortID) (p spot, found bool, err error) {
	var key [runKeyLen]byte
	item, err := txn.Get(appendRunKey(key[:0], r.no, id.prefix(r.bits)))
	if err == badger.ErrKeyNotFound {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	err = item.Value(func(b []byte) error {
		if len(b)%runEntryLen != 0 {
			return errValue
		}
		low, high := 0, len(b)/runEntryLen
		for low < high { // ends with low at the last of those that are equal
			if at := (low + high) / 2; bytes.Compare(b[at*runEntryLen:][:len(id)], id[:]) <= 0 {
				low = at + 1
			} else {
				high = at
			}
		}
		if low == 0 {
			return nil
		}
		e := runEntryAt(b, low-1)
		p, found = e.spot, e.id == id
		return nil
	})
	return p, found, err
}

// runReader reads a run from its first entry to its last.
type runReader struct {
	run   *run
	next  uint64 // block
	block []byte // what is left of the one before
}

// peek returns the next entry, ok false at the end.
func (r *runReader) peek(txn *badger.Txn) (e runEntry, ok bool, err error) {
	for len(r.block) == 0 {
		if r.next == r.run.blocks() {
			return e, false, nil
		}
		if r.block, err = get(txn, appendRunKey(nil, r.run.no, uint32(r.next))); err != nil {
			return e, false, err
		}
		if len(r.block)%runEntryLen != 0 {
			return e, false, errValue
		}
		r.next++
	}
	return runEntryAt(r.block, 0), true, nil
}

func (r *runReader) take() { r.block = r.block[runEntryLen:] }

// filter says for one in a hundred ids that a run has them though it has not. Nil says
// so of all.
type filter []byte

const (
	filterBits   = 10 // an entry
	filterHashes = 6
)

// newFilter returns a filter for so many entries, none if it would take more than so many bytes:
// it could not be kept in memory, and one for millions is larger than badger takes.
func newFilter(count uint64, most int) filter {
	if size := (count*filterBits+7)/8 + 1; size <= uint64(most) {
		return make(filter, size)
	}
	return nil
}

// each calls fn with the bits of an id until it returns false.
func (f filter) each(id shortID, fn func(i, bit uint64) bool) {
	a, b := binary.LittleEndian.Uint64(id[:]), binary.LittleEndian.Uint64(id[8:])|1
	for range filterHashes {
		n := a % (8 * uint64(len(f)))
		if !fn(n/8, 1<<(n%8)) {
			return
		}
		a += b
	}
}

func (f filter) add(id shortID) {
	if len(f) == 0 {
		return
	}
	f.each(id, func(i, bit uint64) bool {
		f[i] |= byte(bit)
		return true
	})
}

func (f filter) has(id shortID) bool {
	has := true
	if len(f) > 0 {
		f.each(id, func(i, bit uint64) bool {
			has = f[i]&byte(bit) != 0
			return has
		})
	}
	return has
}

// runsRec is the list of the runs: all events that are numbered below indexed are in them or
// have records of their own.
type runsRec struct {
	key     [16]byte // of short ids
	indexed uint64
	runs    []*run
}

func (r *runsRec) appendTo(b []byte) []byte {
	b = append(b, r.key[:]...)
	b = binary.AppendUvarint(b, r.indexed)
	for _, x := range r.runs {
		b = binary.AppendUvarint(b, uint64(x.no))
		b = append(b, x.bits)
		b = binary.AppendUvarint(b, x.count)
	}
	return b
}

func decodeRunsRec(b []byte) (r runsRec, err error) {
	d := decoder{b: b}
	r.key = [16]byte(d.bytes(len(r.key)))
	r.indexed = d.uvarint()
	for len(d.b) > 0 {
		x := &run{no: uint32(d.uvarint()), bits: d.bytes(1)[0], count: d.uvarint()}
		if x.bits > 24 { // 400 million events
			d.bad = true
		}
		r.runs = append(r.runs, x)
	}
	return r, d.end()
}
