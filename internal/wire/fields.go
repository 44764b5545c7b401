package wire

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrFields is returned for bytes that are not protobuf.
var ErrFields = errors.New("not protobuf")

// Fields reads a protobuf message and hands each field that is a varint (n) or
// bytes (v, which points into b) to f; fields of other types are skipped. An
// error of f ends it and is returned.
func Fields(b []byte, f func(num protowire.Number, n uint64, v []byte) error) error {
	for len(b) > 0 {
		num, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return ErrFields
		}
		b = b[size:]
		var n uint64
		var v []byte
		switch typ {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(num, typ, b)
		}
		if size < 0 {
			return ErrFields
		}
		b = b[size:]
		if typ != protowire.VarintType && typ != protowire.BytesType {
			continue
		}
		if err := f(num, n, v); err != nil {
			return err
		}
	}
	return nil
}

// Envelope reads what all signed messages lie in: field 1 is the body, field 2
// the signature over it. Both point into b, and nothing of them is verified.
func Envelope(b []byte) (body, signature []byte, err error) {
	err = Fields(b, func(num protowire.Number, _ uint64, v []byte) error {
		switch num {
		case 1:
			body = v
		case 2:
			signature = v
		}
		return nil
	})
	return body, signature, err
}

// AppendUint appends a varint field, and AppendBytes one of bytes; nothing for
// what is zero or empty, as proto3 has it.
func AppendUint(b []byte, num protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), n)
}

// AppendBytes appends a field of bytes: AppendUint.
func AppendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}
