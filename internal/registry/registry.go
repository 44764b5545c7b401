// Package registry is what the events of a network's registry say: who was
// registered, who was revoked, and which network records the registrars passed
// on. The registry is a log as any other, which only the network's registrars
// write; docs/protocol/11-registrars.md §7 is its specification.
//
//	v := registry.NewView()
//	v.Apply(&e.Event)           // each event that counts, in any order
//	r, revoked := v.Revoked(key)
//
// The package is pure. Values of its types are not safe for concurrent use.
package registry

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/strict"
	"github.com/parley-chat/parley/internal/ticket"
)

// The kinds of event in the registry. In other logs they mean nothing.
//
// spec: 11-registrars §7.2
const (
	KindRegistration event.Kind = 16
	KindRevocation   event.Kind = 17
	KindRecord       event.Kind = 18
)

// Limits, in bytes unless said otherwise. spec: 11-registrars §7.2
const (
	MaxReason = 256
	MaxHow    = 512
	MaxEnds   = 800 // logs named by one revocation
	maxRecord = 4096
)

// ErrForm is wrapped by every error about a payload that is malformed.
var ErrForm = errors.New("registry: malformed")

// Registration says that a registrar handed a ticket to a node.
type Registration struct {
	Peer     event.Author
	Zone     string
	Short    ticket.Short
	NotAfter time.Time // when its ticket ends, in whole seconds
	How      string    // what it registered with, for people
}

// Place is where an author's chain ends. Seq 0: before its beginning.
type Place struct {
	Seq uint64
	ID  event.ID
}

// End says what counts of an author in one log: everything up to it.
type End struct {
	Log event.LogID
	Place
}

// Revocation says that a node is a member no more, for good. What it wrote
// counts up to its end in each log; in logs that have none here, up to the time
// of the revocation.
type Revocation struct {
	Peer   event.Author
	Reason string
	Ends   []End // by log, rising; at most MaxEnds
}

// Record hands on a network record, as the root signed it.
type Record struct{ Signed []byte }

// Field numbers; never reused.
const (
	fieldPeer     = 1
	fieldZone     = 2
	fieldShort    = 3
	fieldNotAfter = 4
	fieldHow      = 5

	fieldReason = 2
	fieldEnds   = 3

	fieldRecord = 1
)

// endSize is how many bytes an end takes: log, seq in big endian, id.
const endSize = 32 + 8 + 32

// Encode returns the payload. Errors wrap ErrForm.
func (r *Registration) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return r.encode(), nil
}

func (r *Registration) encode() []byte {
	b := strict.AppendBytes(nil, fieldPeer, r.Peer[:])
	b = strict.AppendBytes(b, fieldZone, []byte(r.Zone))
	b = strict.AppendBytes(b, fieldShort, r.Short[:])
	b = strict.AppendUint(b, fieldNotAfter, uint64(r.NotAfter.Unix()))
	return strict.AppendBytes(b, fieldHow, []byte(r.How))
}

func (r *Registration) check() error {
	if len(r.Zone) > ticket.MaxZone || !printable(r.Zone) || len(r.How) > MaxHow || !printable(r.How) || r.NotAfter.Unix() < 0 {
		return fmt.Errorf("%w: registration", ErrForm)
	}
	return nil
}

// DecodeRegistration reads the payload of a KindRegistration event.
func DecodeRegistration(payload []byte) (r Registration, err error) {
	s := strict.Scanner{Rest: payload}
	s.Fixed(fieldPeer, r.Peer[:])
	r.Zone = string(s.Bytes(fieldZone))
	s.Fixed(fieldShort, r.Short[:])
	r.NotAfter = time.Unix(int64(s.Uint(fieldNotAfter)&(1<<48-1)), 0)
	r.How = string(s.Bytes(fieldHow))
	if err := whole(&s, payload, fieldHow, r.encode); err != nil {
		return Registration{}, err
	}
	return r, r.check()
}

// Encode returns the payload. Errors wrap ErrForm.
func (r *Revocation) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return r.encode(), nil
}

func (r *Revocation) encode() []byte {
	ends := make([]byte, 0, len(r.Ends)*endSize)
	for i := range r.Ends {
		ends = r.Ends[i].append(ends)
	}
	b := strict.AppendBytes(nil, fieldPeer, r.Peer[:])
	b = strict.AppendBytes(b, fieldReason, []byte(r.Reason))
	return strict.AppendBytes(b, fieldEnds, ends)
}

func (r *Revocation) check() error {
	rising := true
	for i := 1; i < len(r.Ends); i++ {
		rising = rising && r.Ends[i-1].Compare(r.Ends[i]) < 0
	}
	if len(r.Reason) > MaxReason || !printable(r.Reason) || len(r.Ends) > MaxEnds || !rising {
		return fmt.Errorf("%w: revocation", ErrForm)
	}
	return nil
}

// DecodeRevocation reads the payload of a KindRevocation event.
func DecodeRevocation(payload []byte) (r Revocation, err error) {
	s := strict.Scanner{Rest: payload}
	s.Fixed(fieldPeer, r.Peer[:])
	r.Reason = string(s.Bytes(fieldReason))
	ends := s.Bytes(fieldEnds)
	if len(ends)%endSize != 0 || len(ends) > MaxEnds*endSize {
		s.Bad = true
	} else {
		for b := range slices.Chunk(ends, endSize) {
			r.Ends = append(r.Ends, endOf(b))
		}
	}
	if err := whole(&s, payload, fieldEnds, r.encode); err != nil {
		return Revocation{}, err
	}
	return r, r.check()
}

// Encode returns the payload.
func (r *Record) Encode() []byte { return strict.AppendBytes(nil, fieldRecord, r.Signed) }

// DecodeRecord reads the payload of a KindRecord event. What it holds is not
// verified.
func DecodeRecord(payload []byte) (r Record, err error) {
	s := strict.Scanner{Rest: payload}
	r.Signed = s.Bytes(fieldRecord)
	if len(r.Signed) > maxRecord {
		s.Bad = true
	}
	return r, whole(&s, payload, fieldRecord, r.Encode)
}

// whole checks that nothing was bad and that the known fields stand in the one
// form; fields of later versions may follow.
func whole(s *strict.Scanner, payload []byte, last protowire.Number, encode func() []byte) error {
	known := len(payload) - len(s.Rest)
	s.SkipRising(last)
	if s.Bad || !bytes.Equal(encode(), payload[:known]) {
		return ErrForm
	}
	return nil
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
