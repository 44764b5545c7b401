package wire_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/frames.json anew")

// framing is what is on a stream and the frames in it.
type framing struct {
	Name   string   `json:"name"`
	Bytes  string   `json:"bytes"`           // hex
	Limit  int      `json:"limit"`           // of a frame
	Frames []string `json:"frames"`          // hex, those that are whole
	Error  string   `json:"error,omitempty"` // why reading ends: size, cut; absent: where the stream ends
}

func framings() []framing {
	of := func(name string, limit int, b []byte, err string, frames ...[]byte) framing {
		f := framing{Name: name, Bytes: hex.EncodeToString(b), Limit: limit, Frames: []string{}, Error: err}
		for _, x := range frames {
			f.Frames = append(f.Frames, hex.EncodeToString(x))
		}
		return f
	}
	long := bytes.Repeat([]byte{0xab}, 300)
	return []framing{
		of("nothing", 10, nil, ""),
		of("one byte, and an empty frame", 10, []byte{1, 0x77, 0}, "", []byte{0x77}, nil),
		of("127 and 128 bytes", 128, slices.Concat([]byte{0x7f}, long[:127], []byte{0x80, 1}, long[:128]), "", long[:127], long[:128]),
		of("300 bytes at the limit", 300, append([]byte{0xac, 2}, long...), "", long),
		of("a byte over the limit", 299, append([]byte{0xac, 2}, long...), "size"),
		of("a length of 2^64-1", 1024, append(bytes.Repeat([]byte{0xff}, 9), 1), "size"),
		of("cut short in a frame", 10, []byte{1, 5, 3, 1, 2}, "cut", []byte{5}),
		of("cut short in a length", 300, []byte{0xac}, "cut"),
	}
}

// spec: 01-network M8, M9
func TestVectorsFraming(t *testing.T) {
	const file = "testdata/frames.json"
	want, err := json.MarshalIndent(framings(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(want, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(kept), want) {
		t.Fatal("the vectors are different; -update writes them anew")
	}
	var all []framing
	if err := json.Unmarshal(kept, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		b, err := hex.DecodeString(v.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		in, frames := bufio.NewReader(bytes.NewReader(b)), []string{}
		for {
			var f []byte
			if f, err = wire.ReadFrame(in, v.Limit); err != nil {
				break
			}
			frames = append(frames, hex.EncodeToString(f))
		}
		reasons := map[string]error{"": io.EOF, "size": wire.ErrFrameSize, "cut": io.ErrUnexpectedEOF}
		if !errors.Is(err, reasons[v.Error]) || !slices.Equal(frames, v.Frames) {
			t.Errorf("%s: %d frames, %v", v.Name, len(frames), err)
		}
	}
}
