package appsignal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/parley-chat/parley/internal/event"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "testdata/signals.json"

// vector is a signal as other languages can read it: bytes are hex.
type vector struct {
	Comment  string `json:"comment"`
	Seed     string `json:"seed"` // of the Ed25519 key
	Network  string `json:"network"`
	Log      string `json:"log"`
	Author   string `json:"author"`
	Time     int64  `json:"time"`
	Seq      uint64 `json:"seq"`
	Type     string `json:"type"`
	Data     string `json:"data"`
	Envelope string `json:"envelope"`
	Frame    string `json:"frame"` // the body of the signal's frame in a direct chat, after its kind
}

func makeVectors() (out []vector) {
	author, sign := signer(1)
	for _, v := range []struct {
		comment string
		s       *Signal
	}{
		{"a cursor", sample(author)},
		{"no data", &Signal{Author: author, Time: 1_700_000_000_123, Seq: 8, Type: "typing"}},
	} {
		out = append(out, vector{
			Comment: v.comment, Seed: hex.EncodeToString(bytes.Repeat([]byte{1}, ed25519.SeedSize)),
			Network: hex.EncodeToString(testNetwork[:]), Log: hex.EncodeToString(testLog[:]),
			Author: hex.EncodeToString(author[:]), Time: v.s.Time, Seq: v.s.Seq, Type: v.s.Type,
			Data:     hex.EncodeToString(v.s.Data),
			Envelope: hex.EncodeToString(v.s.Encode(testNetwork, testLog, sign)),
			Frame:    hex.EncodeToString(Frame(v.s.Type, v.s.Data)),
		})
	}
	return out
}

// spec: 10-signals M2, M4
func TestVectorsAppSignals(t *testing.T) {
	want, err := json.MarshalIndent(makeVectors(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorFile, append(want, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(got), want) {
		t.Fatal("the vectors are different; -update writes them anew")
	}
	var vectors []vector
	if err := json.Unmarshal(got, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		envelope, _ := hex.DecodeString(v.Envelope)
		frame, _ := hex.DecodeString(v.Frame)
		if _, err := Decode(testNetwork, event.LogID(testLog), envelope); err != nil {
			t.Errorf("%s: %v", v.Comment, err)
		}
		if _, _, err := ParseFrame(frame); err != nil {
			t.Errorf("%s: %v", v.Comment, err)
		}
	}
}
