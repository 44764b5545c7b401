package appsignal

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-chat/parley/internal/event"
	"github.com/parley-chat/parley/internal/wire"
)

// Limits of a signal, in bytes. spec: 10-signals §2
const (
	MaxData     = 768
	maxEnvelope = 2 << 10
	maxFrame    = 1 + event.MaxType + MaxData // in a direct chat
)

// Why a signal is refused: what is wrong for everyone.
var (
	ErrForm      = errors.New("signal malformed")
	ErrSignature = errors.New("signal signature wrong")
)

// Signal is what an application of one author tells those of others in passing.
type Signal struct {
	Author event.Author
	Time   int64  // the author's clock, Unix ms
	Seq    uint64 // rises with each of the author's signals, over restarts too
	Type   string // the application's own name for what this is: as that of a message
	Data   []byte // at most MaxData bytes, may be empty
}

// Encoded layout, known fields strict, unknown ones skipped:
//
//	Envelope { bytes body = 1; bytes signature = 2 }
//	Body     { bytes author = 1; uint64 time = 2; uint64 seq = 3; string type = 4; bytes data = 5 }
//
// spec: 10-signals §2
const domain = "parley/app/1"

// signed returns what the author signs: the log is in it, so that a signal
// counts in no other room.
func signed(network [32]byte, log event.LogID, body []byte) []byte {
	b := make([]byte, 0, len(domain)+len(network)+len(log)+len(body))
	b = append(append(b, domain...), network[:]...)
	return append(append(b, log[:]...), body...)
}

// Encode signs s for a log of a network and returns its envelope.
func (s *Signal) Encode(network [32]byte, log event.LogID, sign func([]byte) []byte) []byte {
	body := wire.AppendBytes(nil, 1, s.Author[:])
	body = wire.AppendUint(body, 2, uint64(s.Time))
	body = wire.AppendUint(body, 3, s.Seq)
	body = wire.AppendBytes(body, 4, []byte(s.Type))
	body = wire.AppendBytes(body, 5, s.Data)
	return wire.AppendBytes(wire.AppendBytes(nil, 1, body), 2, sign(signed(network, log, body)))
}

// Decode reads and verifies an envelope: form, limits and the signature of the
// author it names. Data points into b. Errors: ErrForm, ErrSignature.
func Decode(network [32]byte, log event.LogID, b []byte) (*Signal, error) {
	s, proof, err := parse(b)
	if err != nil {
		return nil, err
	}
	if !proof.valid(network, log, s.Author) {
		return nil, ErrSignature
	}
	return s, nil
}

// proof is what the author signed, and how.
type proof struct{ body, signature []byte }

func (p proof) valid(network [32]byte, log event.LogID, author event.Author) bool {
	return len(p.signature) == ed25519.SignatureSize && ed25519.Verify(author[:], signed(network, log, p.body), p.signature)
}

// parse reads an envelope without verifying who it is of.
func parse(b []byte) (*Signal, proof, error) {
	if len(b) > maxEnvelope {
		return nil, proof{}, fmt.Errorf("%w: %d bytes", ErrForm, len(b))
	}
	body, signature, err := wire.Envelope(b)
	if err != nil {
		return nil, proof{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	s, err := decodeBody(body)
	return s, proof{body, signature}, err
}

func decodeBody(body []byte) (*Signal, error) {
	s := new(Signal)
	var author []byte
	err := wire.Fields(body, func(num protowire.Number, n uint64, v []byte) error {
		switch num {
		case 1:
			author = v
		case 2:
			s.Time = int64(n)
		case 3:
			s.Seq = n
		case 4:
			s.Type = string(v)
		case 5:
			s.Data = v
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if len(author) != len(s.Author) {
		return nil, fmt.Errorf("%w: author of %d bytes", ErrForm, len(author))
	}
	s.Author = event.Author(author)
	return s, Check(s.Type, s.Data)
}

// Check reports, as an ErrForm, a type or data that no signal can have.
func Check(typ string, data []byte) error {
	if !event.ValidType(typ) {
		return fmt.Errorf("%w: type", ErrForm)
	}
	if len(data) > MaxData {
		return fmt.Errorf("%w: %d bytes of data", ErrForm, len(data))
	}
	return nil
}

// Frame is what a signal is on the sealed stream of a direct chat, which says
// of itself who speaks: length of the type (1 byte) ‖ type ‖ data.
// spec: 10-signals §4
func Frame(typ string, data []byte) []byte {
	b := make([]byte, 0, 1+len(typ)+len(data))
	b = append(append(b, byte(len(typ))), typ...)
	return append(b, data...)
}

// ParseFrame is the opposite of Frame. data points into b. Errors: ErrForm.
func ParseFrame(b []byte) (typ string, data []byte, err error) {
	if len(b) == 0 || len(b) > maxFrame || len(b) < 1+int(b[0]) {
		return "", nil, fmt.Errorf("%w: frame of %d bytes", ErrForm, len(b))
	}
	typ, data = string(b[1:1+b[0]]), b[1+b[0]:]
	return typ, data, Check(typ, data)
}
