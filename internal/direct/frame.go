package direct

import (
	"encoding/binary"
	"errors"

	"github.com/parley-chat/parley/internal/event"
)

// Frames of a chat stream: one byte that says which, and its body. Numbers are
// big-endian. spec: 07-direct §4
const (
	framePositions = 1 // place ×3
	frameEvents    = 2 // payload
	frameAck       = 3 // author 32 ‖ place
	frameSignal    = 4 // kind 1 ‖ up to maxSignal bytes

	placeLen  = 8 + 32
	maxSignal = 1 << 10
	maxFrame  = 1 + event.MaxBatchBytes
)

// Kinds of signal. Others are ignored: those from 128 on belong to
// applications, the rest to later versions.
const (
	signalRead = 1   // place: the newest message that a person was shown
	signalApp  = 128 // what an application tells in passing: 10-signals §4
)

// errFrame is what every malformed frame is.
var errFrame = errors.New("malformed frame")

// Place is an event of one author in a log; the zero Place is before the first.
type Place struct {
	Seq uint64
	ID  event.ID
}

// positions says what its sender holds of the chains of both, and how far his
// person has read.
type positions struct {
	low, high Place // of the author whose key is lower bytewise, of the other
	read      Place // an event of the receiver's
}

// events is a payload, not decoded.
type events []byte

// ack says that its sender has the event at a place, and its author's events
// before it, safe on disk.
type ack struct {
	author event.Author
	at     Place
}

// signal is told and forgotten.
type signal struct {
	kind byte
	body []byte
}

func (p Place) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Seq)
	return append(b, p.ID[:]...)
}

// takePlace reads a place from the front of b, which is long enough.
func takePlace(b []byte) (Place, bool) {
	p := Place{Seq: binary.BigEndian.Uint64(b), ID: event.ID(b[8:placeLen])}
	return p, (p.Seq == 0) == (p.ID == event.ID{})
}

func (f positions) encode() []byte {
	b := append(make([]byte, 0, 1+3*placeLen), framePositions)
	return f.read.appendTo(f.high.appendTo(f.low.appendTo(b)))
}

func (f events) encode() []byte {
	return append(append(make([]byte, 0, 1+len(f)), frameEvents), f...)
}

func (f ack) encode() []byte {
	b := append(make([]byte, 0, 1+32+placeLen), frameAck)
	return f.at.appendTo(append(b, f.author[:]...))
}

func (f signal) encode() []byte { return append([]byte{frameSignal, f.kind}, f.body...) }

// decodeFrame reads a frame in its one form: positions, events, ack or signal.
// What it returns points into b. spec: 07-direct §4
func decodeFrame(b []byte) (any, error) {
	if len(b) < 2 || len(b) > maxFrame {
		return nil, errFrame
	}
	body := b[1:]
	switch b[0] {
	case framePositions:
		return decodePositions(body)
	case frameEvents:
		return events(body), nil
	case frameAck:
		if len(body) != 32+placeLen {
			return nil, errFrame
		}
		at, ok := takePlace(body[32:])
		if !ok || at.Seq == 0 {
			return nil, errFrame
		}
		return ack{event.Author(body[:32]), at}, nil
	case frameSignal:
		if len(body) > 1+maxSignal {
			return nil, errFrame
		}
		return signal{body[0], body[1:]}, nil
	default:
		return nil, errFrame
	}
}

func decodePositions(b []byte) (any, error) {
	if len(b) != 3*placeLen {
		return nil, errFrame
	}
	low, ok1 := takePlace(b)
	high, ok2 := takePlace(b[placeLen:])
	read, ok3 := takePlace(b[2*placeLen:])
	if !ok1 || !ok2 || !ok3 {
		return nil, errFrame
	}
	return positions{low, high, read}, nil
}

// decodeRead reads the body of a read signal.
func decodeRead(b []byte) (Place, error) {
	if len(b) != placeLen {
		return Place{}, errFrame
	}
	at, ok := takePlace(b)
	if !ok || at.Seq == 0 {
		return Place{}, errFrame
	}
	return at, nil
}
