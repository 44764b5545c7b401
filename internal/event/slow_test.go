package event

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The plain, slow way to write and hash everything, straight from docs/protocol. It
// judges the fast one, and it can also write what the fast one never would.

// field is one protobuf field: v is a uint64, a []byte, or verbatim bytes (raw).
type field struct {
	num protowire.Number
	v   any
}

type raw []byte

func enc(fields ...field) []byte {
	var b []byte
	for _, f := range fields {
		switch v := f.v.(type) {
		case uint64:
			b = protowire.AppendVarint(protowire.AppendTag(b, f.num, protowire.VarintType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, f.num, protowire.BytesType), v)
		case raw:
			b = append(b, v...)
		default:
			panic("field of unknown type")
		}
	}
	return b
}

// with returns fields with number num replaced, or added in order.
func with(fields []field, num protowire.Number, v any) []field {
	fields = slices.Clone(fields)
	for i, f := range fields {
		if f.num == num {
			fields[i].v = v
			return fields
		}
		if f.num > num {
			return slices.Insert(fields, i, field{num, v})
		}
	}
	return append(fields, field{num, v})
}

func without(fields []field, num protowire.Number) []field {
	return slices.DeleteFunc(slices.Clone(fields), func(f field) bool { return f.num == num })
}

func tagged(domain string, parts ...[]byte) [32]byte {
	b := []byte(domain)
	for _, p := range parts {
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

// slowRoot is the tree of RFC 6962 §2.1 as its text says it.
func slowRoot(ids []ID) [32]byte {
	if len(ids) == 1 {
		return tagged("\x00", ids[0][:])
	}
	k := 1
	for 2*k < len(ids) {
		k *= 2
	}
	left, right := slowRoot(ids[:k]), slowRoot(ids[k:])
	return tagged("\x01", left[:], right[:])
}

// slowPath is PATH(m, D[n]) of RFC 6962 §2.1.1.
func slowPath(index int, ids []ID) []byte {
	if len(ids) == 1 {
		return nil
	}
	k := 1
	for 2*k < len(ids) {
		k *= 2
	}
	if index < k {
		root := slowRoot(ids[k:])
		return append(slowPath(index, ids[:k]), root[:]...)
	}
	root := slowRoot(ids[:k])
	return append(slowPath(index-k, ids[k:]), root[:]...)
}

// item is one event to be written: its header's fields and its content.
type item struct {
	header  []field
	content []byte
}

func (it item) id() ID { return tagged("parley/event/1", enc(it.header...)) }

func (it item) field() field {
	f := []field{{1, enc(it.header...)}}
	if it.content != nil {
		f = append(f, field{2, it.content})
	}
	return field{3, enc(f...)}
}

func ids(items []item) []ID {
	var out []ID
	for _, it := range items {
		out = append(out, it.id())
	}
	return out
}

func slowSigned(items []item) []byte {
	root := slowRoot(ids(items))
	msg := binary.BigEndian.AppendUint32([]byte("parley/batch/1"), uint32(len(items)))
	return append(msg, root[:]...)
}

// payload returns the fields of a signed payload of these events.
func payload(items ...item) []field {
	f := []field{{1, ed25519.Sign(testKey, slowSigned(items))}}
	for _, it := range items {
		f = append(f, it.field())
	}
	return f
}

// onePayload returns the fields of the payload that serves event i alone.
func onePayload(i int, items ...item) []field {
	f := []field{{1, ed25519.Sign(testKey, slowSigned(items))}, items[i].field(), {4, uint64(len(items))}}
	if i > 0 {
		f = append(f, field{5, uint64(i)})
	}
	return append(f, field{6, slowPath(i, ids(items))})
}

// text returns a message as seq of the test log, after prev (if seq > 1).
func text(seq uint64, prev ID, heads ...ID) item {
	content := append([]byte{byte(seq), 15: 0xaa}, enc(field{1, []byte("text")}, field{2, []byte("hello")})...)
	hash := tagged("parley/content/1", content)
	var parents []byte
	if seq > 1 {
		parents = append(parents, prev[:]...)
	}
	for _, h := range heads {
		parents = append(parents, h[:]...)
	}
	header := []field{
		{1, uint64(0x0100)},
		{2, testLog[:]},
		{3, testAuthor[:]},
		{4, seq},
		{5, uint64(testHLC) + seq<<counterBits},
		{7, uint64(1)},
		{10, uint64(len(content))},
		{11, hash[:]},
	}
	if parents != nil {
		header = with(header, 6, parents)
	}
	return item{header, content}
}

// of returns the event with another kind and payload.
func (it item) of(kind Kind, payload []byte) item {
	it.content = append(bytes.Repeat([]byte{5}, SaltSize), payload...)
	hash := tagged("parley/content/1", it.content)
	it.header = with(it.header, 7, uint64(kind))
	it.header = with(it.header, 10, uint64(len(it.content)))
	it.header = with(it.header, 11, hash[:])
	return it
}

// chain returns n messages from seq 1, each after the one before.
func chain(n int) []item {
	var items []item
	var prev ID
	for seq := range uint64(n) {
		items = append(items, text(seq+1, prev))
		prev = items[seq].id()
	}
	return items
}
