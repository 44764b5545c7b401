package event

import (
	"fmt"
	"math"
)

// Field numbers of a header. spec: 03-events §3.1
const (
	fieldVersion     = 1
	fieldLog         = 2
	fieldAuthor      = 3
	fieldSeq         = 4
	fieldHLC         = 5
	fieldParents     = 6
	fieldKind        = 7
	fieldKeyEpoch    = 8
	fieldExpiry      = 9
	fieldContentSize = 10
	fieldContentHash = 11
)

// decodeHeader fills h from its bytes. Parents go into *slab, which all headers of a
// batch share: slices taken from it stay valid when it grows.
func decodeHeader(raw []byte, h *Header, slab *[]ID) error {
	r := reader{b: raw}
	h.Version = uint32(r.need(fieldVersion, math.MaxUint16))
	if r.err == nil && h.Version>>8 != Version>>8 {
		return fmt.Errorf("%w: %d.%d", ErrVersion, h.Version>>8, h.Version&0xff)
	}
	if len(raw) > MaxHeader {
		return fmt.Errorf("%w: header of %d bytes", ErrTooLarge, len(raw))
	}
	h.Log = r.fixed(fieldLog)
	h.Author = r.fixed(fieldAuthor)
	h.Seq = r.need(fieldSeq, math.MaxUint64)
	h.HLC = HLC(r.need(fieldHLC, math.MaxUint64))
	parents := r.bytes(fieldParents)
	h.Kind = Kind(r.need(fieldKind, math.MaxUint32))
	h.setKeyEpoch(r.number(fieldKeyEpoch, math.MaxUint64))
	h.Expiry = r.number(fieldExpiry, maxMillis)
	size := r.need(fieldContentSize, math.MaxUint32)
	h.ContentSize = uint32(size)
	h.ContentHash = r.fixed(fieldContentHash)
	if h.Version > Version {
		r.skip(fieldContentHash)
	}
	if err := r.end(); err != nil {
		return err
	}
	if size > MaxContent {
		return fmt.Errorf("%w: content of %d bytes", ErrTooLarge, size)
	}
	if size < SaltSize {
		return fmt.Errorf("%w: content of %d bytes", ErrForm, size)
	}
	return h.takeParents(parents, slab)
}

func (h *Header) setKeyEpoch(epoch uint64) {
	if epoch != 0 {
		own := epoch // only a present epoch costs an allocation
		h.KeyEpoch = &own
	}
}

// takeParents splits and checks the parents. spec: 03-events §3.4
func (h *Header) takeParents(b []byte, slab *[]ID) error {
	n := len(b) / len(ID{})
	if len(b)%len(ID{}) != 0 {
		return fmt.Errorf("%w: parents of %d bytes", ErrForm, len(b))
	}
	start := len(*slab)
	for i := range n {
		*slab = append(*slab, ID(b[i*len(ID{}):]))
	}
	h.Parents = (*slab)[start:len(*slab):len(*slab)]
	return h.checkParents()
}

func (h *Header) checkParents() error {
	others := h.Parents
	if h.Seq > 1 {
		if len(others) == 0 {
			return fmt.Errorf("%w: seq %d without its previous event", ErrForm, h.Seq)
		}
		others = others[1:]
	}
	if len(others) > MaxParents-1 {
		return fmt.Errorf("%w: %d parents beside the previous event", ErrTooLarge, len(others))
	}
	for i, p := range others {
		if i > 0 && others[i-1].Compare(p) >= 0 {
			return fmt.Errorf("%w: parents not ascending", ErrForm)
		}
		if h.Seq > 1 && p == h.Parents[0] {
			return fmt.Errorf("%w: a parent twice", ErrForm)
		}
	}
	return nil
}

// size returns the length of the header's encoding.
func (h *Header) size() int {
	n := sizeNumber(uint64(h.Version)) + 3*sizeBytes(32) + sizeNumber(h.Seq) + sizeNumber(uint64(h.HLC)) +
		sizeBytes(len(h.Parents)*len(ID{})) + sizeNumber(uint64(h.Kind)) + sizeNumber(h.Expiry) + sizeNumber(uint64(h.ContentSize))
	if h.KeyEpoch != nil {
		n += sizeNumber(*h.KeyEpoch)
	}
	return n
}

// append writes the header in its canonical form.
func (h *Header) append(b []byte) []byte {
	b = appendNumber(b, fieldVersion, uint64(h.Version))
	b = appendBytes(b, fieldLog, h.Log[:])
	b = appendBytes(b, fieldAuthor, h.Author[:])
	b = appendNumber(b, fieldSeq, h.Seq)
	b = appendNumber(b, fieldHLC, uint64(h.HLC))
	if n := len(h.Parents); n > 0 {
		b = append(b, fieldParents<<3|wireBytes)
		b = appendLength(b, n*len(ID{}))
		for i := range h.Parents {
			b = append(b, h.Parents[i][:]...)
		}
	}
	b = appendNumber(b, fieldKind, uint64(h.Kind))
	if h.KeyEpoch != nil {
		b = appendNumber(b, fieldKeyEpoch, *h.KeyEpoch)
	}
	b = appendNumber(b, fieldExpiry, h.Expiry)
	b = appendNumber(b, fieldContentSize, uint64(h.ContentSize))
	return appendBytes(b, fieldContentHash, h.ContentHash[:])
}
