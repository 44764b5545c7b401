package direct

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

var update = flag.Bool("update", false, "write testdata/frames.json anew")

func placeAt(seq uint64, b byte) Place {
	return Place{seq, event.ID(bytes.Repeat([]byte{b}, 32))}
}

// vector is a frame as docs/protocol/07-direct describes it.
type vector struct {
	Name  string `json:"name"`
	Frame string `json:"frame"` // hex
	Valid bool   `json:"valid"`
}

func valid() map[string]any {
	return map[string]any{
		"positions of nothing":  positions{},
		"positions":             positions{low: placeAt(3, 0xaa), high: placeAt(1<<40, 0xbb), read: placeAt(2, 0xcc)},
		"events":                events("payload"),
		"ack":                   ack{event.Author(bytes.Repeat([]byte{0x11}, 32)), placeAt(7, 0xdd)},
		"signal: read":          signal{signalRead, placeAt(5, 0xee).appendTo(nil)},
		"signal of an app":      signal{200, []byte("typing")},
		"signal without a body": signal{2, []byte{}},
		"signal of 1,024 bytes": signal{200, make([]byte, 1024)},
	}
}

func encode(f any) []byte {
	switch f := f.(type) {
	case positions:
		return f.encode()
	case events:
		return f.encode()
	case ack:
		return f.encode()
	default:
		return f.(signal).encode()
	}
}

// invalid are frames that end the stream.
func invalid() map[string][]byte {
	zero := Place{}.appendTo(nil)
	author := bytes.Repeat([]byte{0x11}, 32)
	return map[string][]byte{
		"empty":                         {},
		"only a type":                   {frameEvents},
		"unknown type":                  {9, 0},
		"positions too short":           positions{}.encode()[:120],
		"positions too long":            append(positions{}.encode(), 0),
		"position of seq 0 with an id":  append([]byte{framePositions}, bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1}, 14)[:120]...),
		"position with seq, without id": positions{low: Place{Seq: 1}}.encode(),
		"ack of nothing":                append(append([]byte{frameAck}, author...), zero...),
		"ack too long":                  append(ack{event.Author(author), placeAt(1, 1)}.encode(), 0),
		"signal of 1,025 bytes":         signal{200, make([]byte, 1025)}.encode(),
		"read signal of 39 bytes":       signal{signalRead, make([]byte, 39)}.encode(),
		"read signal of nothing":        signal{signalRead, make([]byte, 40)}.encode(),
	}
}

// readFrame is decodeFrame, and reads what is in a read signal too.
func readFrame(b []byte) (any, error) {
	f, err := decodeFrame(b)
	if s, ok := f.(signal); ok && err == nil && s.kind == signalRead {
		_, err = decodeRead(s.body)
	}
	return f, err
}

// TestFrames checks that each valid vector is read and written as it is, and
// each invalid one refused.
//
// spec: 07-direct M9
func TestFrames(t *testing.T) {
	for name, f := range valid() {
		b := encode(f)
		got, err := decodeFrame(b)
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for name, b := range invalid() {
		if got, err := readFrame(b); !errors.Is(err, errFrame) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	whole := make([]byte, 131_073)
	whole[0] = frameEvents
	if _, err := decodeFrame(whole); err != nil {
		t.Errorf("a frame at the limit: %v", err)
	}
	if _, err := decodeFrame(append(whole, 0)); !errors.Is(err, errFrame) {
		t.Error("a frame over the limit is read")
	}
}

// TestFrameVectors holds the bytes in testdata to the code, and the code to
// them.
//
// spec: 07-direct M9
func TestFrameVectors(t *testing.T) {
	const file = "testdata/frames.json"
	want := make(map[string]vector)
	for name, f := range valid() {
		want[name] = vector{name, hex.EncodeToString(encode(f)), true}
	}
	for name, b := range invalid() {
		want[name] = vector{name, hex.EncodeToString(b), false}
	}
	if *update {
		data, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]vector
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("testdata/frames.json differs from what the code writes (-update writes it anew)")
	}
	for name, v := range got {
		b, err := hex.DecodeString(v.Frame)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readFrame(b); (err == nil) != v.Valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spec: 07-direct M9
func FuzzDecodeFrame(f *testing.F) {
	for _, v := range valid() {
		f.Add(encode(v))
	}
	for _, b := range invalid() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeFrame(bytes.Clone(b))
		if err != nil {
			return
		}
		if again := encode(got); !bytes.Equal(again, b) {
			t.Errorf("%x was read, and is written %x", b, again)
		}
	})
}
