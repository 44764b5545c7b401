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
	fieldStep   = 1
	fieldBody   = 2
	fieldProof  = 3
	fieldTicket = 4
)

// Field numbers of a body. spec: 02-hello §4
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
	fieldRevoked  = 13
)

// Ways to prove membership: bits of methods, one of which is chosen. spec: 02-hello §4
const (
	methodSecret = 1
	methodTicket = 2
)

const maxClock = 1<<48 - 1 // Unix milliseconds

// message is one frame. The proof stands outside body, so that it can cover it verbatim.
type message struct {
	step                uint64
	body, proof, ticket []byte
}

// body holds the fields of all steps; which must be there is said by each step.
type body struct {
	nonce, network []byte
	min, max       uint64
	features, role uint64
	clock          uint64 // Unix milliseconds
	packed         []byte // epochs as they came
	epochs         []uint64
	methods        uint64
	version, epoch uint64
	method         uint64
	revoked        []byte
}

func (m *message) encode() []byte {
	b := appendNumber(nil, fieldStep, m.step)
	b = appendBytes(b, fieldBody, m.body)
	b = appendBytes(b, fieldProof, m.proof)
	return appendBytes(b, fieldTicket, m.ticket)
}

// parseMessage reads the frame of a message that has to be of this step.
func parseMessage(b []byte, step uint64) (m message, err error) {
	if len(b) > MaxMessage {
		return m, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	if err := parse(b, &m); err != nil {
		return m, err
	}
	if m.step != step {
		return m, fmt.Errorf("%w: step %d instead of %d", ErrForm, m.step, step)
	}
	return m, nil
}

func (m *message) number(num protowire.Number) *uint64 {
	if num == fieldStep {
		return &m.step
	}
	return nil
}

func (m *message) chunk(num protowire.Number) *[]byte {
	switch num {
	case fieldBody:
		return &m.body
	case fieldProof:
		return &m.proof
	case fieldTicket:
		return &m.ticket
	}
	return nil
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
	out = appendNumber(out, fieldMethod, b.method)
	return appendBytes(out, fieldRevoked, b.revoked)
}

// parseBody reads a body and checks what holds for every one of them.
func parseBody(raw []byte) (b body, err error) {
	if err := parse(raw, &b); err != nil {
		return b, err
	}
	if b.epochs, err = parseEpochs(b.packed); err != nil {
		return b, err
	}
	if len(b.nonce) != NonceSize {
		return b, fmt.Errorf("%w: nonce of %d bytes", ErrForm, len(b.nonce))
	}
	if len(b.revoked) != 0 && len(b.revoked) != len(Config{}.Revoked) {
		return b, fmt.Errorf("%w: revocation of %d bytes", ErrForm, len(b.revoked))
	}
	if b.clock == 0 || b.clock > maxClock {
		return b, fmt.Errorf("%w: clock", ErrForm)
	}
	if max(b.min, b.max, b.role, b.methods, b.version, b.method) > math.MaxUint32 || b.role == 0 {
		return b, fmt.Errorf("%w: number out of range", ErrForm)
	}
	return b, nil
}

func (b *body) number(num protowire.Number) *uint64 {
	switch num {
	case fieldMin:
		return &b.min
	case fieldMax:
		return &b.max
	case fieldFeatures:
		return &b.features
	case fieldRole:
		return &b.role
	case fieldClock:
		return &b.clock
	case fieldMethods:
		return &b.methods
	case fieldVersion:
		return &b.version
	case fieldEpoch:
		return &b.epoch
	case fieldMethod:
		return &b.method
	}
	return nil
}

func (b *body) chunk(num protowire.Number) *[]byte {
	switch num {
	case fieldNonce:
		return &b.nonce
	case fieldNetwork:
		return &b.network
	case fieldEpochs:
		return &b.packed
	case fieldRevoked:
		return &b.revoked
	}
	return nil
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
