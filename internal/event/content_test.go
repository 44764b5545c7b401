package event

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

type contentVector struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Payload  string `json:"payload"`
	Reason   string `json:"reason"`
	Type     string `json:"type,omitempty"`
	Data     string `json:"data,omitempty"`
	Fallback string `json:"fallback,omitempty"`
	Nick     string `json:"nick,omitempty"`
}

// contentPayloads holds each payload with its name, and the reason it is refused for.
func contentPayloads() []contentVector {
	text, hello := field{1, []byte("text")}, field{2, []byte("hello")}
	message := func(name, reason string, fields ...field) contentVector {
		return contentVector{Name: name, Kind: KindMessage, Reason: reason, Payload: hex.EncodeToString(enc(fields...))}
	}
	profile := func(name, reason string, fields ...field) contentVector {
		return contentVector{Name: name, Kind: KindProfile, Reason: reason, Payload: hex.EncodeToString(enc(fields...))}
	}
	app := field{1, []byte("reading")}
	return []contentVector{
		message("text", "", text, hello),
		message("empty text", "", text),
		message("text beyond ASCII", "", text, field{2, []byte("你好 🙂\x00")}),
		message("an app's type", "", app, field{2, []byte{0xff, 0}}, field{3, []byte("21.5 °C")}),
		message("an app's type, no fallback", "", app, field{2, []byte{1}}),
		message("type of 64 bytes", "", field{1, bytes.Repeat([]byte("t"), 64)}),
		message("text with a field of later versions", "", text, hello, field{4, uint64(9)}, field{5, []byte("x")}),
		message("type of 65 bytes", "form", field{1, bytes.Repeat([]byte("t"), 65)}),
		message("no type", "form", hello),
		message("nothing", "form"),
		message("type with a space", "form", field{1, []byte("a b")}),
		message("type with a control character", "form", field{1, []byte("a\x1b")}),
		message("type beyond ASCII", "form", field{1, []byte("é")}),
		message("text that is not UTF-8", "form", text, field{2, []byte{0xff}}),
		message("text that holds a surrogate", "form", text, field{2, []byte{0xed, 0xa0, 0x80}}),
		message("text with a fallback", "form", text, hello, field{3, []byte("x")}),
		message("fallback that is not UTF-8", "form", app, field{3, []byte{0xc0, 0x80}}),
		message("data before type", "form", hello, text),
		message("data twice", "form", text, hello, hello),
		message("data written empty", "form", text, field{2, []byte{}}),
		message("later field twice", "form", text, field{4, uint64(1)}, field{4, uint64(1)}),
		message("type as a number", "form", field{1, uint64(1)}),
		message("cut short", "form", text, verbatim([]byte{0x12, 5, 'h'})),
		profile("nick", "", field{1, []byte("Ana")}),
		profile("no nick", ""),
		profile("nick of 64 characters in 256 bytes", "", field{1, []byte(strings.Repeat("🙂", 64))}),
		profile("nick of 65 characters", "too_large", field{1, bytes.Repeat([]byte("n"), 65)}),
		profile("nick that is not UTF-8", "form", field{1, []byte{0xff}}),
		profile("nick twice", "form", field{1, []byte("a")}, field{1, []byte("b")}),
		profile("nick and a field of later versions", "", field{1, []byte("Ana")}, field{2, []byte("x")}),
	}
}

// spec: 03-events M25, M26
func TestVectorsContents(t *testing.T) {
	made := contentPayloads()
	for i := range made {
		v := &made[i]
		if v.Kind == KindMessage {
			m, _ := DecodeMessage(unhex(t, v.Payload))
			v.Type, v.Data, v.Fallback = m.Type, hex.EncodeToString(m.Data), m.Fallback
		} else {
			p, _ := DecodeProfile(unhex(t, v.Payload))
			v.Nick = p.Nick
		}
	}
	kept := keep(t, "contents.json", vectorFile[contentVector]{
		About: "Payloads of messages and profiles, without salt. docs/protocol/03-events.md",
		Fields: map[string]string{
			"kind": "1 message, 2 profile", "payload": "hex", "reason": "why it is refused; empty = accepted",
			"type": "of a message; absent = empty, as with all below", "data": "hex", "fallback": "text", "nick": "of a profile",
		},
		Vectors: made,
	})
	for _, v := range kept {
		var err error
		if v.Kind == KindMessage {
			_, err = DecodeMessage(unhex(t, v.Payload))
		} else {
			_, err = DecodeProfile(unhex(t, v.Payload))
		}
		if want := reasonErrors[v.Reason]; (want == nil) != (err == nil) || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", v.Name, err, want)
		}
	}
}

func TestContentsSurviveTheirEncoding(t *testing.T) {
	for _, m := range []Message{
		{Type: TypeText, Data: []byte("hello")},
		{Type: "reading", Data: []byte{0, 1}, Fallback: "21.5 °C"},
	} {
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeMessage(b)
		if err != nil || got.Type != m.Type || !bytes.Equal(got.Data, m.Data) || got.Fallback != m.Fallback {
			t.Errorf("%+v became %+v: %v", m, got, err)
		}
	}
	b, err := Profile{Nick: "Ana"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeProfile(b); err != nil || got.Nick != "Ana" {
		t.Errorf("%+v: %v", got, err)
	}
}

func TestContentsRefuseWhatNobodyWouldRead(t *testing.T) {
	for _, m := range []Message{
		{},
		{Type: TypeText, Data: []byte{0xff}},
		{Type: TypeText, Fallback: "x"},
		{Type: "a", Fallback: "\xff"},
	} {
		if _, err := m.Encode(); !errors.Is(err, ErrForm) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if _, err := (Message{Type: "a", Data: make([]byte, MaxContent)}).Encode(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large message: %v", err)
	}
	if _, err := (Profile{Nick: strings.Repeat("n", 65)}).Encode(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("long nick: %v", err)
	}
}

// The largest message fits into the largest content, to the byte.
func TestLargestMessageSeals(t *testing.T) {
	m := Message{Type: TypeText, Data: bytes.Repeat([]byte("x"), MaxContent-SaltSize-6-4)}
	b, err := m.Encode()
	if err != nil || len(b) != MaxContent-SaltSize {
		t.Fatal(len(b), err)
	}
	d := texts(1, 0)
	d[0].Payload = b
	decoded(t, sealed(t, d).Payload())
	m.Data = append(m.Data, 'x')
	if _, err := m.Encode(); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}
