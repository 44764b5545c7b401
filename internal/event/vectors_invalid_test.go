package event

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

type invalidVector struct {
	Name    string `json:"name"`
	Reason  string `json:"reason"`
	Payload string `json:"payload"`
}

var invalidFields = map[string]string{
	"name":    "the one thing that is wrong; all else, the signature too, is right where that is possible",
	"reason":  "form, too_large, hash, signature: wrong for everyone; version: not for us",
	"payload": "hex",
}

var reasonErrors = map[string]error{
	"form": ErrForm, "too_large": ErrTooLarge, "hash": ErrHash, "signature": ErrSignature, "version": ErrVersion,
}

// spec: 03-events M1, M6, M8, M9, M13, M14, M23, M30, M33, M35, M36, M37, M38
func TestVectorsInvalid(t *testing.T) {
	made := append(invalidPayloads(), invalidHeaders()...)
	made = append(made, invalidOrder()...)
	made = append(made, invalidSingles()...)
	kept := keep(t, "invalid.json", vectorFile[invalidVector]{
		About:   "Payloads that every implementation refuses, and why. docs/protocol/03-events.md",
		Fields:  invalidFields,
		Vectors: append(made, invalidSignatures()...),
	})
	for _, v := range kept {
		t.Run(v.Name, func(t *testing.T) {
			b, err := Decode(unhex(t, v.Payload))
			if err == nil {
				err = b.Verify()
			}
			want := reasonErrors[v.Reason]
			for _, sentinel := range reasonErrors {
				if errors.Is(err, sentinel) != (sentinel == want) {
					t.Fatalf("got %v, want %v alone", err, want)
				}
			}
		})
	}
}

func invalid(name, reason string, fields ...field) invalidVector {
	return invalidVector{name, reason, hex.EncodeToString(enc(fields...))}
}

// badHeader is invalid for a lone event with these header fields.
func badHeader(name, reason string, header []field) invalidVector {
	return invalid(name, reason, payload(item{header, text(1, ID{}).content})...)
}

func verbatim(b []byte) field { return field{0, raw(b)} }

// overlong appends v as a varint one byte longer than it needs.
func overlong(b []byte, v uint64) []byte {
	b = protowire.AppendVarint(b, v)
	b[len(b)-1] |= 0x80
	return append(b, 0)
}

// invalidPayloads break the frame of the payload. spec: 03-events §6.3
func invalidPayloads() []invalidVector {
	good := payload(chain(2)...)
	one := text(1, ID{})
	header, content := enc(one.header...), one.content
	item := enc(field{1, header}, field{2, content})
	whole := enc(good...)
	sig := good[0].v.([]byte)
	return []invalidVector{
		invalid("empty payload", "form"),
		invalid("last byte missing", "form", verbatim(whole[:len(whole)-1])),
		invalid("a byte too many", "form", append(good, verbatim([]byte{0}))...),
		invalid("no signature", "form", good[1:]...),
		invalid("signature of 63 bytes", "form", with(good, 1, sig[:63])...),
		invalid("signature of 65 bytes", "form", with(good, 1, append(bytes.Clone(sig), 0))...),
		invalid("signature twice", "form", append([]field{good[0]}, good...)...),
		invalid("signature after the events", "form", good[1], good[2], good[0]),
		invalid("flags written as 0", "form", with(good, 2, uint64(0))...),
		invalid("flags over one byte", "form", with(good, 2, uint64(256))...),
		invalid("no event", "form", good[0]),
		invalid("unknown field 7", "form", append(good, field{7, uint64(1)})...),
		invalid("length of an event in a long varint", "form", payload(one)[0],
			verbatim(append(overlong([]byte{0x1a}, uint64(len(item))), item...))),
		invalid("length beyond the end", "form", good[0], verbatim([]byte{0x1a, 0xff, 0xff, 0x03, 1})),
		invalid("length of 2^64-1", "form", good[0], verbatim(protowire.AppendVarint([]byte{0x1a}, 1<<64-1))),
		invalid("varint of eleven bytes", "form", good[0], verbatim(append([]byte{0x10}, bytes.Repeat([]byte{0x80}, 10)...))),
		invalid("item without header", "form", append(payload(one)[:1], field{3, enc(field{2, content})})...),
		invalid("item with an empty content", "form", append(payload(one)[:1], field{3, enc(field{1, header}, field{2, []byte{}})})...),
		invalid("item with its content first", "form", append(payload(one)[:1], field{3, enc(field{2, content}, field{1, header})})...),
		invalid("item with unknown field 3", "form", append(payload(one)[:1], field{3, enc(field{1, header}, field{2, content}, field{3, uint64(1)})})...),
		invalid("empty item", "form", append(payload(one)[:1], field{3, []byte{}})...),
	}
}

// invalidHeaders break one header. spec: 03-events §3
func invalidHeaders() []invalidVector {
	h := text(1, ID{}).header
	names := map[protowire.Number]string{
		1: "version", 2: "log", 3: "author", 4: "seq", 5: "hlc", 7: "kind", 10: "content size", 11: "content hash",
	}
	var out []invalidVector
	for _, f := range h {
		out = append(out, badHeader("header without "+names[f.num], "form", without(h, f.num)))
	}
	long := overlong([]byte{0x20}, 1)
	newer := with(h, 1, uint64(0x0101))
	return append(
		out,
		badHeader("seq written as 0", "form", with(h, 4, uint64(0))),
		badHeader("hlc written as 0", "form", with(h, 5, uint64(0))),
		badHeader("kind written as 0", "form", with(h, 7, uint64(0))),
		badHeader("kind of 33 bits", "form", with(h, 7, uint64(1<<32))),
		badHeader("key epoch written as 0", "form", with(h, 8, uint64(0))),
		badHeader("expiry written as 0", "form", with(h, 9, uint64(0))),
		badHeader("expiry of 49 bits", "form", with(h, 9, uint64(1<<48))),
		badHeader("seq in a long varint", "form", with(h, 4, raw(long))),
		badHeader("seq twice", "form", append(h[:4:4], append([]field{{4, uint64(1)}}, h[4:]...)...)),
		badHeader("hlc before seq", "form", append(append(h[:3:3], h[4], h[3]), h[5:]...)),
		badHeader("hlc as fixed64", "form", with(h, 5, raw([]byte{0x29, 1, 2, 3, 4, 5, 6, 7, 8}))),
		badHeader("log of 31 bytes", "form", with(h, 2, testLog[:31])),
		badHeader("author of 33 bytes", "form", with(h, 3, append(testAuthor[:], 0))),
		badHeader("content hash of 31 bytes", "form", with(h, 11, h[7].v.([]byte)[:31])),
		badHeader("parents written empty", "form", with(h, 6, []byte{})),
		badHeader("parents of 33 bytes", "form", with(h, 6, make([]byte, 33))),
		badHeader("unknown field 12 in version 1.0", "form", append(h[:8:8], field{12, uint64(1)})),
		badHeader("major version 2", "version", with(h, 1, uint64(0x0200))),
		badHeader("major version 0", "version", with(h, 1, uint64(1))),
		badHeader("version of 17 bits", "form", with(h, 1, uint64(1<<16))),
		badHeader("newer minor, field 13 before 12", "form", append(newer[:8:8], field{13, uint64(1)}, field{12, uint64(1)})),
		badHeader("newer minor, field 12 twice", "form", append(newer[:8:8], field{12, uint64(1)}, field{12, uint64(1)})),
		badHeader("newer minor, field 12 as fixed32", "form", append(newer[:8:8], verbatim([]byte{0x65, 1, 2, 3, 4}))),
		badHeader("newer minor, field 12 empty", "form", append(newer[:8:8], field{12, []byte{}})),
		badHeader("newer minor, header of 1025 bytes", "too_large",
			append(newer[:8:8], field{12, make([]byte, 1025-len(enc(newer...))-3)})),
		badHeader("content size below the salt's", "form", with(h, 10, uint64(15))),
		badHeader("content size over the limit", "too_large", with(h, 10, uint64(MaxContent+1))),
		badHeader("content size another than the content's", "hash", with(h, 10, uint64(30))),
		badHeader("content hash another than the content's", "hash", with(h, 11, make([]byte, 32))),
	)
}

// invalidOrder break what parents, seq and hlc owe each other. spec: 03-events §3.4
func invalidOrder() []invalidVector {
	lone := func(name, reason string, it item) invalidVector { return invalid(name, reason, payload(it)...) }
	two := func(name string, num protowire.Number, v any) invalidVector {
		items := chain(3)
		items[2].header = with(items[2].header, num, v)
		return invalid(name, "form", payload(items...)...)
	}
	swapped := chain(2)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	noParent := text(2, ID{})
	noParent.header = without(noParent.header, 6)
	seven := []ID{{1}, {2}, {3}, {4}, {5}, {6}, {7}}
	return []invalidVector{
		lone("seq 2 without its previous event", "form", noParent),
		lone("heads not ascending", "form", text(2, ID{9}, ID{2}, ID{1})),
		lone("a head twice", "form", text(2, ID{9}, ID{1}, ID{1})),
		lone("the previous event among the heads", "form", text(2, ID{9}, ID{9})),
		lone("first event with heads not ascending", "form", text(1, ID{}, ID{2}, ID{1})),
		lone("first event with eight heads", "too_large", text(1, ID{}, append(seven, ID{8})...)),
		lone("nine parents", "too_large", text(2, ID{9}, append(seven, ID{8})...)),
		two("third event of another log", 2, make([]byte, 32)),
		two("third event of another author", 3, make([]byte, 32)),
		two("a gap in seq within the batch", 4, uint64(4)),
		two("one seq twice within the batch", 4, uint64(2)),
		two("parent not the event before", 6, make([]byte, 32)),
		two("hlc not rising", 5, uint64(testHLC)+2<<counterBits),
		two("hlc over 10 s after the first", 5, uint64(testHLC)+10_002<<counterBits),
		invalid("events in the wrong order", "form", payload(swapped...)...),
	}
}

// invalidSingles break the proof of one event served alone. spec: 03-events §6.5
func invalidSingles() []invalidVector {
	five := chain(5)
	third := onePayload(2, five...)
	path := third[len(third)-1].v.([]byte)
	one := onePayload(0, five[0])
	return []invalidVector{
		invalid("alone, count 1", "form", one[:3]...),
		invalid("alone, count 257", "form", with(third, 4, uint64(257))...),
		invalid("alone, no path", "form", without(third, 6)...),
		invalid("alone, path one hash short", "form", with(third, 6, path[32:])...),
		invalid("alone, path one hash long", "form", with(third, 6, append(path, path[:32]...))...),
		invalid("alone, path of 95 bytes", "form", with(third, 6, path[:95])...),
		invalid("alone, no count", "form", without(third, 4)...),
		invalid("alone, path without count and index", "form", without(onePayload(0, five...), 4)...),
		invalid("alone, index without count and path", "form", without(without(third, 4), 6)...),
		invalid("alone, index equal to count", "form", with(third, 5, uint64(5))...),
		invalid("alone, index beyond the last, whose path it has", "form", with(onePayload(4, five...), 5, uint64(5))...),
		invalid("alone, index written as 0", "form", with(onePayload(0, five...), 5, uint64(0))...),
		invalid("two events with a path", "form", append(third[:2:2], append([]field{five[3].field()}, third[2:]...)...)...),
		invalid("alone, another index of the same depth", "signature", with(third, 5, uint64(1))...),
		invalid("alone, another count of the same depth", "signature", with(third, 4, uint64(6))...),
		invalid("alone, path altered", "signature", with(third, 6, append([]byte{path[0] ^ 1}, path[1:]...))...),
	}
}

// invalidSignatures are well-formed and not signed as they should be. spec: 03-events §6.2
func invalidSignatures() []invalidVector {
	items := chain(2)
	good := payload(items...)
	root := slowRoot(ids(items))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
	id := items[0].id()
	signed := func(name string, msg []byte, key ed25519.PrivateKey) invalidVector {
		return invalid(name, "signature", with(good, 1, ed25519.Sign(key, msg))...)
	}
	flipped := bytes.Clone(good[0].v.([]byte))
	flipped[0] ^= 1
	return []invalidVector{
		invalid("signature altered", "signature", with(good, 1, flipped)...),
		invalid("signature of another batch", "signature", with(good, 1, payload(items[0])[0].v)...),
		signed("signed by another key", slowSigned(items), other),
		signed("signed without the domain", slowSigned(items)[len("parley/batch/1"):], testKey),
		signed("signed with the count in one byte", append([]byte("parley/batch/1\x02"), root[:]...), testKey),
		signed("signed with the count little-endian", append([]byte("parley/batch/1\x02\x00\x00\x00"), root[:]...), testKey),
		invalid("the id signed in place of the tree", "signature", with(payload(items[0]), 1,
			ed25519.Sign(testKey, append([]byte("parley/batch/1\x00\x00\x00\x01"), id[:]...)))...),
		invalid("leaf without its tag", "signature", with(payload(items[0]), 1, func() []byte {
			leaf := tagged("", id[:])
			return ed25519.Sign(testKey, append([]byte("parley/batch/1\x00\x00\x00\x01"), leaf[:]...))
		}())...),
		invalid("an event of the batch left out", "signature", good[0], good[1]),
	}
}
