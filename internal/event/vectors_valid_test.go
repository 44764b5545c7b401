package event

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"testing"
)

type validVector struct {
	Name      string        `json:"name"`
	Payload   string        `json:"payload"`
	AckWanted bool          `json:"ack_wanted"`
	Signature string        `json:"signature"`
	Count     int           `json:"count"`
	Index     int           `json:"index"`
	Path      []string      `json:"path"`
	Root      string        `json:"root"`
	Signed    string        `json:"signed"`
	Events    []eventVector `json:"events"`
}

type eventVector struct {
	ID          string   `json:"id"`
	Header      string   `json:"header"`
	Version     uint32   `json:"version"`
	Log         string   `json:"log"`
	Author      string   `json:"author"`
	Seq         string   `json:"seq"`
	HLC         string   `json:"hlc"`
	Millis      int64    `json:"hlc_millis"`
	Counter     uint16   `json:"hlc_counter"`
	Parents     []string `json:"parents"`
	Kind        uint32   `json:"kind"`
	KeyEpoch    string   `json:"key_epoch"`
	Expiry      string   `json:"expiry"`
	ContentSize uint32   `json:"content_size"`
	ContentHash string   `json:"content_hash"`
	Content     *string  `json:"content"`
	NeedsNewer  bool     `json:"needs_newer"`
}

var validFields = map[string]string{
	"payload":      "hex of the whole payload; decode it, write it again, and these bytes come out",
	"ack_wanted":   "bit 0 of flags",
	"signature":    "hex, 64 bytes",
	"count":        "events that were signed together",
	"index":        "place of events[0] among them, from 0; not 0 only when one event is served alone",
	"path":         "hex of the audit path, bottom first; empty when all events are there",
	"root":         "hex of the Merkle root",
	"signed":       "hex of the bytes under the signature: domain, count, root",
	"id":           "hex of SHA-256(\"parley/event/1\" and header)",
	"header":       "hex of the header's bytes, verbatim",
	"version":      "major * 256 + minor",
	"seq":          "decimal, as it may pass 2^53; so are hlc, key_epoch and expiry",
	"hlc":          "hlc_millis * 65536 + hlc_counter",
	"parents":      "hex; for seq > 1 the author's previous event comes first",
	"kind":         "1 message, 2 profile, 3 leave",
	"key_epoch":    "\"0\" = absent: not encrypted",
	"expiry":       "Unix milliseconds; \"0\" = absent: never",
	"content_size": "bytes, salt included; says what it was when the content is erased",
	"content":      "hex of salt and payload, or of ciphertext; null = erased",
	"needs_newer":  "unknown kind or higher minor version: keep, forward, do not show",
}

// validPayloads are written by the slow encoder of the tests, not by Seal.
func validPayloads() []struct {
	name    string
	payload []byte
} {
	five := chain(5)
	erased := chain(5)
	erased[1].content = nil
	heads := []ID{{0x11}, {0x22}, {0xff, 31: 1}}
	second := text(2, ID{0xee}, heads...)
	full := text(9, ID{0x80}, ID{1}, ID{2}, ID{3}, ID{4}, ID{5}, ID{6}, ID{7})
	profile := text(1, ID{}).of(KindProfile, enc(field{1, []byte("Ana")}))
	leave := text(3, ID{0xee}).of(KindLeave, nil)
	sealed := text(1, ID{})
	sealed.header = with(with(sealed.header, 8, uint64(7)), 9, uint64(1_798_761_600_000))
	newer := text(1, ID{})
	newer.header = append(with(newer.header, 1, uint64(0x0101)), field{12, uint64(1)}, field{20, []byte("later")})
	kind := text(1, ID{})
	kind.header = with(kind.header, 7, uint64(1<<32-1))
	large := text(1<<64-1, ID{0xee})
	large.header = with(large.header, 5, uint64(1<<64-1))
	return []struct {
		name    string
		payload []byte
	}{
		{"one text, first of its author", enc(payload(text(1, ID{}))...)},
		{"seq 2 with its previous event and three heads", enc(payload(second)...)},
		{"seq 9 with all eight parents", enc(payload(full)...)},
		{"profile", enc(payload(profile)...)},
		{"leave: content is the salt alone", enc(payload(leave)...)},
		{"key epoch and expiry", enc(payload(sealed)...)},
		{"unknown kind", enc(payload(kind)...)},
		{"minor version 1 with fields 12 and 20", enc(payload(newer)...)},
		{"largest seq and hlc", enc(payload(large)...)},
		{"batch of three, acknowledgement wanted", enc(with(payload(chain(3)...), 2, uint64(1))...)},
		{"unknown flags are ignored", enc(with(payload(chain(1)...), 2, uint64(0x80))...)},
		{"batch of five, second content erased", enc(payload(erased...)...)},
		{"first of five alone: path of three, index absent", enc(onePayload(0, five...)...)},
		{"third of five alone", enc(onePayload(2, five...)...)},
		{"last of five alone: path of one", enc(onePayload(4, five...)...)},
		{"second of five alone, erased", enc(onePayload(1, erased...)...)},
	}
}

// spec: 03-events M1, M6, M10, M28, M33, M34
func TestVectorsValid(t *testing.T) {
	var made []validVector
	for _, v := range validPayloads() {
		made = append(made, describe(t, v.name, v.payload))
	}
	kept := keep(t, "valid.json", vectorFile[validVector]{
		About:   "Payloads that every implementation accepts, and what is in them. docs/protocol/03-events.md",
		Fields:  validFields,
		Vectors: made,
	})
	for _, v := range kept {
		t.Run(v.Name, func(t *testing.T) {
			b := decoded(t, unhex(t, v.Payload))
			if !bytes.Equal(reencode(b), unhex(t, v.Payload)) {
				t.Error("decoded and written again, it is not the same")
			}
		})
	}
}

// describe decodes a payload into a vector.
func describe(t *testing.T, name string, p []byte) validVector {
	t.Helper()
	b := decoded(t, p)
	root := b.root()
	signed := signedBytes(b.count, root)
	v := validVector{
		Name: name, Payload: hex.EncodeToString(p), AckWanted: b.AckWanted, Signature: hex.EncodeToString(b.sig),
		Count: b.count, Index: b.index, Path: []string{}, Root: hex.EncodeToString(root[:]), Signed: hex.EncodeToString(signed[:]),
	}
	for i := 0; i < len(b.path); i += 32 {
		v.Path = append(v.Path, hex.EncodeToString(b.path[i:i+32]))
	}
	for i := range b.Events {
		v.Events = append(v.Events, describeEvent(&b.Events[i]))
	}
	return v
}

func describeEvent(e *Event) eventVector {
	v := eventVector{
		ID: e.ID.String(), Header: hex.EncodeToString(e.Raw), Version: e.Version, Log: e.Log.String(), Author: e.Author.String(),
		Seq: strconv.FormatUint(e.Seq, 10), HLC: strconv.FormatUint(uint64(e.HLC), 10), Millis: e.HLC.Millis(), Counter: uint16(e.HLC),
		Parents: []string{}, Kind: uint32(e.Kind), KeyEpoch: "0", Expiry: strconv.FormatUint(e.Expiry, 10),
		ContentSize: e.ContentSize, ContentHash: hex.EncodeToString(e.ContentHash[:]), NeedsNewer: e.NeedsNewer(),
	}
	for _, p := range e.Parents {
		v.Parents = append(v.Parents, p.String())
	}
	if e.KeyEpoch != nil {
		v.KeyEpoch = strconv.FormatUint(*e.KeyEpoch, 10)
	}
	if e.Content != nil {
		s := hex.EncodeToString(e.Content)
		v.Content = &s
	}
	return v
}

// reencode writes a decoded batch again from its decoded parts alone, the slow way.
// Headers of a higher minor version are kept verbatim: we do not know their fields.
// So are flags, of which a batch knows one bit.
func reencode(b *Batch) []byte {
	f := []field{{1, b.sig}}
	if v := (&reader{b: b.payload[66:]}).number(fieldFlags, maxFlags); v != 0 {
		f = append(f, field{2, v})
	}
	for i := range b.Events {
		e := &b.Events[i]
		it := []field{{1, reencodeHeader(e)}}
		if e.Content != nil {
			it = append(it, field{2, e.Content})
		}
		f = append(f, field{3, enc(it...)})
	}
	if b.count > len(b.Events) {
		f = append(f, field{4, uint64(b.count)})
		if b.index > 0 {
			f = append(f, field{5, uint64(b.index)})
		}
		f = append(f, field{6, b.path})
	}
	return enc(f...)
}

func reencodeHeader(e *Event) []byte {
	if e.Version > Version {
		return e.Raw
	}
	f := []field{{1, uint64(e.Version)}, {2, e.Log[:]}, {3, e.Author[:]}, {4, e.Seq}, {5, uint64(e.HLC)}}
	var parents []byte
	for _, p := range e.Parents {
		parents = append(parents, p[:]...)
	}
	if parents != nil {
		f = append(f, field{6, parents})
	}
	f = append(f, field{7, uint64(e.Kind)})
	if e.KeyEpoch != nil {
		f = append(f, field{8, *e.KeyEpoch})
	}
	if e.Expiry != 0 {
		f = append(f, field{9, e.Expiry})
	}
	return enc(append(f, field{10, uint64(e.ContentSize)}, field{11, e.ContentHash[:]})...)
}
