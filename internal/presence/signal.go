package presence

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/wire"
)

// Limits of a signal. spec: 05-presence §2
const (
	MaxSignal = 16 << 10 // bytes of an encoded signal, signature included
	MaxRooms  = 64       // rooms a signal names
	MaxHeads  = 8        // heads a room of a signal names
	MaxChains = 8        // authors of whom a room of a signal tells how far it is held
	MaxName   = 256      // bytes of a nick or room name
	MaxPace   = time.Hour
)

// Reasons for refusing a signal, for counting.
var (
	ErrForm      = errors.New("signal malformed")
	ErrSignature = errors.New("signal signature wrong")
)

// Signal is what a node tells of itself. It is never stored.
type Signal struct {
	Author   [32]byte      // raw Ed25519 key
	Time     int64         // sender's clock, Unix ms
	Seq      uint64        // rises with each signal, over restarts too
	Interval time.Duration // the next comes within about this; whole ms
	Nick     string        // may be empty
	Goodbye  bool          // the sender is closing
	Total    uint32        // number of public rooms the sender is in
	Rooms    []Room        // all of them, or some in rotation
}

// Room tells where a signal's sender stands in one public room.
type Room struct {
	Name     string     // as the sender joined it
	Seq      uint64     // of the sender's newest event there, 0 if it has none
	Complete bool       // no ancestor of what the sender holds is missing there
	Heads    [][32]byte // ids of the sender's heads, newest first, the own newest event among them if it is one
	Chains   []Chain    // told when Complete cannot be, some in rotation
}

// Chain says that a signal's sender holds, of an author's events in a room,
// every one up to a number.
type Chain struct {
	Author [32]byte
	Seq    uint64
}

// Encoded layout, strict about known fields, lenient about unknown ones:
//
//	Envelope { bytes body = 1; bytes signature = 2 }
//	Body     { bytes author = 1; uint64 time = 2; uint64 seq = 3; uint64 interval_ms = 4;
//	           string nick = 5; uint64 flags = 6; uint64 total = 7; repeated Room rooms = 8 }
//	Room     { string name = 1; uint64 seq = 2; uint64 flags = 3; bytes heads = 4 (n × 32); repeated Chain chains = 5 }
//	Chain    { bytes author = 1; uint64 seq = 2 }
//
// spec: 05-presence §2
const (
	domain       = "parley/signal/1"
	flagGoodbye  = 1
	flagComplete = 1
)

// signed returns what the author of a signal signs.
func signed(network [32]byte, body []byte) []byte {
	b := make([]byte, 0, len(domain)+len(network)+len(body))
	b = append(b, domain...)
	b = append(b, network[:]...)
	return append(b, body...)
}

// Encode signs s for a network and returns its envelope.
func (s *Signal) Encode(network [32]byte, sign func([]byte) []byte) []byte {
	body := s.body()
	var b []byte
	b = wire.AppendBytes(b, 1, body)
	return wire.AppendBytes(b, 2, sign(signed(network, body)))
}

func (s *Signal) body() []byte {
	var b []byte
	b = wire.AppendBytes(b, 1, s.Author[:])
	b = wire.AppendUint(b, 2, uint64(s.Time))
	b = wire.AppendUint(b, 3, s.Seq)
	b = wire.AppendUint(b, 4, uint64(s.Interval.Milliseconds()))
	b = wire.AppendBytes(b, 5, []byte(s.Nick))
	if s.Goodbye {
		b = wire.AppendUint(b, 6, flagGoodbye)
	}
	b = wire.AppendUint(b, 7, uint64(s.Total))
	for i := range s.Rooms {
		b = wire.AppendBytes(b, 8, s.Rooms[i].encode())
	}
	return b
}

func (r *Room) encode() []byte {
	b := wire.AppendBytes(nil, 1, []byte(r.Name))
	b = wire.AppendUint(b, 2, r.Seq)
	if r.Complete {
		b = wire.AppendUint(b, 3, flagComplete)
	}
	heads := make([]byte, 0, 32*len(r.Heads))
	for i := range r.Heads {
		heads = append(heads, r.Heads[i][:]...)
	}
	b = wire.AppendBytes(b, 4, heads)
	for i := range r.Chains {
		c := wire.AppendUint(wire.AppendBytes(nil, 1, r.Chains[i].Author[:]), 2, r.Chains[i].Seq)
		b = wire.AppendBytes(b, 5, c)
	}
	return b
}

// Decode reads and verifies an envelope: form, limits and the signature of the
// author it names. It keeps nothing of data.
func Decode(network [32]byte, data []byte) (*Signal, error) {
	if len(data) > MaxSignal {
		return nil, fmt.Errorf("%w: %d bytes", ErrForm, len(data))
	}
	body, signature, err := wire.Envelope(data)
	if err != nil {
		return nil, ErrForm
	}
	s := new(Signal)
	if err := s.decode(body); err != nil {
		return nil, err
	}
	if len(signature) != ed25519.SignatureSize || !ed25519.Verify(s.Author[:], signed(network, body), signature) {
		return nil, ErrSignature
	}
	return s, nil
}

func (s *Signal) decode(body []byte) error {
	var author []byte
	var interval uint64
	err := fields(body, func(num protowire.Number, n uint64, v []byte) error {
		switch num {
		case 1:
			author = v
		case 2:
			s.Time = int64(n)
		case 3:
			s.Seq = n
		case 4:
			interval = n
		case 5:
			s.Nick = string(v)
		case 6:
			s.Goodbye = n&flagGoodbye != 0
		case 7:
			s.Total = uint32(min(n, 1<<32-1))
		case 8:
			return s.addRoom(v)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(author) != len(s.Author):
		return fmt.Errorf("%w: author of %d bytes", ErrForm, len(author))
	case interval == 0 || interval > uint64(MaxPace.Milliseconds()):
		return fmt.Errorf("%w: interval of %d ms", ErrForm, interval)
	case s.Nick != "" && !ValidName(s.Nick):
		return fmt.Errorf("%w: nick", ErrForm)
	}
	s.Author = [32]byte(author)
	s.Interval = time.Duration(interval) * time.Millisecond
	return nil
}

func (s *Signal) addRoom(data []byte) error {
	if len(s.Rooms) == MaxRooms {
		return fmt.Errorf("%w: more than %d rooms", ErrForm, MaxRooms)
	}
	var r Room
	err := fields(data, func(num protowire.Number, n uint64, v []byte) error {
		switch num {
		case 1:
			r.Name = string(v)
		case 2:
			r.Seq = n
		case 3:
			r.Complete = n&flagComplete != 0
		case 4:
			return r.setHeads(v)
		case 5:
			return r.addChain(v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !ValidName(r.Name) {
		return fmt.Errorf("%w: room name", ErrForm)
	}
	s.Rooms = append(s.Rooms, r)
	return nil
}

func (r *Room) setHeads(v []byte) error {
	if len(v)%32 != 0 || len(v) > MaxHeads*32 {
		return fmt.Errorf("%w: heads of %d bytes", ErrForm, len(v))
	}
	r.Heads = make([][32]byte, 0, len(v)/32)
	for ; len(v) > 0; v = v[32:] {
		r.Heads = append(r.Heads, [32]byte(v))
	}
	return nil
}

func (r *Room) addChain(data []byte) error {
	var c Chain
	var author []byte
	err := fields(data, func(num protowire.Number, n uint64, v []byte) error {
		switch num {
		case 1:
			author = v
		case 2:
			c.Seq = n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(author) != len(c.Author) || len(r.Chains) == MaxChains {
		return fmt.Errorf("%w: chains", ErrForm)
	}
	c.Author = [32]byte(author)
	r.Chains = append(r.Chains, c)
	return nil
}

// ValidName reports whether s can be a nick or room name as told by others: 1
// to MaxName bytes of UTF-8 without control characters, which could play with
// a terminal.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return false
		}
	}
	return true
}

// fields calls f for each field of a protobuf message.
func fields(b []byte, f func(num protowire.Number, n uint64, v []byte) error) error {
	err := wire.Fields(b, f)
	if errors.Is(err, wire.ErrFields) {
		return ErrForm
	}
	return err
}
