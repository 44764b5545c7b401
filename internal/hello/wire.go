package hello

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// target says where the value of a known field goes; nil = unknown.
type target interface {
	number(num protowire.Number) *uint64
	chunk(num protowire.Number) *[]byte
}

// parse reads the known fields of b into t and skips the others. A known field of
// another type, or there twice, is refused, so that no two readers can take it
// differently. spec: 02-hello §2
func parse(b []byte, t target) error {
	var seen uint64 // bit set of known fields, whose numbers are below 64
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
		number, chunk := t.number(num), t.chunk(num)
		switch {
		case number == nil && chunk == nil:
			continue
		case seen>>num&1 == 1:
			return fmt.Errorf("%w: field %d twice", ErrForm, num)
		case number != nil && typ == protowire.VarintType:
			*number, _ = protowire.ConsumeVarint(value)
		case chunk != nil && typ == protowire.BytesType:
			*chunk, _ = protowire.ConsumeBytes(value)
		default:
			return fmt.Errorf("%w: field %d of another type", ErrForm, num)
		}
		seen |= 1 << num
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
