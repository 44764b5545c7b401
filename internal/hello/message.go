package hello

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Steps of the handshake, the first field of every message. spec: 02-hello §3
const (
	stepHello     = 1
	stepChallenge = 2
	stepProof     = 3
	stepAck       = 4
)

// Field numbers of a message. spec: 02-hello §3
const (
	fieldStep  = 1
	fieldBody  = 2
	fieldProof = 3
)

// Field numbers of a body. 13 to 19 are kept for tickets. spec: 02-hello §4
const (
	fieldNonce    = 1
	fieldNetwork  = 2
	fieldMin      = 3
	fieldMax      = 4
	fieldFeatures = 5
	fieldRole     = 6
	fieldClock    = 7
	fieldEpochs   = 8
	fieldMethods  = 9
	fieldVersion  = 10
	fieldEpoch    = 11
	fieldMethod   = 12
)

// Ways to prove membership: bits of methods, one of which is chosen. spec: 02-hello §4
const (
	methodSecret = 1
	methodTicket = 2 // kept for a registrar's ticket; not spoken yet
)

const maxClock = 1<<48 - 1 // Unix milliseconds

// message is one frame. The proof stands outside body, so that it can cover it verbatim.
type message struct {
	step        uint64
	body, proof []byte
}

// body holds the fields of all steps; which must be there is said by each step.
type body struct {
	nonce, network []byte
	min, max       uint64
	features, role uint64
	clock          uint64 // Unix milliseconds
	epochs         []uint64
	methods        uint64
	version, epoch uint64
	method         uint64
}

func (m *message) encode() []byte {
	b := appendNumber(nil, fieldStep, m.step)
	b = appendBytes(b, fieldBody, m.body)
	return appendBytes(b, fieldProof, m.proof)
}

func parseMessage(b []byte, step uint64) (m message, err error) {
	if len(b) > MaxMessage {
		return m, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	err = fields(b, func(num protowire.Number, v uint64, data []byte) error {
		switch num {
		case fieldStep:
			m.step = v
		case fieldBody:
			m.body = data
		case fieldProof:
			m.proof = data
		}
		return nil
	}, 1<<fieldStep, 1<<fieldBody|1<<fieldProof)
	if err != nil {
		return m, err
	}
	if m.step != step {
		return m, fmt.Errorf("%w: step %d instead of %d", ErrForm, m.step, step)
	}
	return m, nil
}

func (b *body) encode() []byte {
	out := appendBytes(nil, fieldNonce, b.nonce)
	out = appendBytes(out, fieldNetwork, b.network)
	out = appendNumber(out, fieldMin, b.min)
	out = appendNumber(out, fieldMax, b.max)
	out = appendNumber(out, fieldFeatures, b.features)
	out = appendNumber(out, fieldRole, b.role)
	out = appendNumber(out, fieldClock, b.clock)
	var packed []byte
	for _, e := range b.epochs {
		packed = protowire.AppendVarint(packed, e)
	}
	out = appendBytes(out, fieldEpochs, packed)
	out = appendNumber(out, fieldMethods, b.methods)
	out = appendNumber(out, fieldVersion, b.version)
	out = appendNumber(out, fieldEpoch, b.epoch)
	return appendNumber(out, fieldMethod, b.method)
}

// parseBody reads a body and checks what holds for every one of them.
func parseBody(raw []byte) (b body, err error) {
	numbers := map[protowire.Number]*uint64{
		fieldMin: &b.min, fieldMax: &b.max, fieldFeatures: &b.features, fieldRole: &b.role,
		fieldClock: &b.clock, fieldMethods: &b.methods, fieldVersion: &b.version,
		fieldEpoch: &b.epoch, fieldMethod: &b.method,
	}
	var numeric uint64
	for num := range numbers {
		numeric |= 1 << num
	}
	err = fields(raw, func(num protowire.Number, v uint64, data []byte) (err error) {
		switch num {
		case fieldNonce:
			b.nonce = data
		case fieldNetwork:
			b.network = data
		case fieldEpochs:
			b.epochs, err = parseEpochs(data)
		default:
			*numbers[num] = v
		}
		return err
	}, numeric, 1<<fieldNonce|1<<fieldNetwork|1<<fieldEpochs)
	if err != nil {
		return b, err
	}
	if len(b.nonce) != NonceSize {
		return b, fmt.Errorf("%w: nonce of %d bytes", ErrForm, len(b.nonce))
	}
	if b.clock == 0 || b.clock > maxClock {
		return b, fmt.Errorf("%w: clock", ErrForm)
	}
	if max(b.min, b.max, b.role, b.version, b.method) > math.MaxUint32 || b.role == 0 {
		return b, fmt.Errorf("%w: number out of range", ErrForm)
	}
	return b, nil
}

func parseEpochs(b []byte) ([]uint64, error) {
	var epochs []uint64
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 || len(epochs) == MaxEpochs {
			return nil, fmt.Errorf("%w: epochs", ErrForm)
		}
		epochs = append(epochs, v)
		b = b[n:]
	}
	return epochs, nil
}

// fields calls use for each known field: those in the bit set numbers as varints, those
// in chunks as bytes. Others are skipped. A known field of another type, or there twice,
// is refused, so that no two readers can take it differently.
func fields(b []byte, use func(num protowire.Number, v uint64, data []byte) error, numbers, chunks uint64) error {
	var seen uint64
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrForm, protowire.ParseError(n))
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return fmt.Errorf("%w: %w", ErrForm, protowire.ParseError(size))
		}
		value := b[n : n+size]
		b = b[n+size:]
		if num >= 64 || (numbers|chunks)>>num&1 == 0 {
			continue
		}
		want := protowire.VarintType
		if chunks>>num&1 == 1 {
			want = protowire.BytesType
		}
		if typ != want || seen>>num&1 == 1 {
			return fmt.Errorf("%w: field %d twice or of another type", ErrForm, num)
		}
		seen |= 1 << num
		v, _ := protowire.ConsumeVarint(value)
		data := value
		if typ == protowire.BytesType {
			data, _ = protowire.ConsumeBytes(value)
		}
		if err := use(num, v, data); err != nil {
			return err
		}
	}
	return nil
}

// appendNumber and appendBytes write a field unless it is zero or empty.
func appendNumber(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}
