package presence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "testdata/signals.json"

// vector is a signal as other languages can read it: bytes are hex.
type vector struct {
	Comment  string       `json:"comment"`
	Seed     string       `json:"seed"` // of the Ed25519 key
	Network  string       `json:"network"`
	Author   string       `json:"author"`
	Time     int64        `json:"time"`
	Seq      uint64       `json:"seq"`
	Interval int64        `json:"interval_ms"`
	Nick     string       `json:"nick"`
	Goodbye  bool         `json:"goodbye"`
	Total    uint32       `json:"total"`
	Rooms    []vectorRoom `json:"rooms"`
	Envelope string       `json:"envelope"`
}

type vectorRoom struct {
	Name     string   `json:"name"`
	Seq      uint64   `json:"seq"`
	Complete bool     `json:"complete"`
	Heads    []string `json:"heads"`

	Chains []vectorChain `json:"chains,omitempty"`
}

type vectorChain struct {
	Author string `json:"author"`
	Seq    uint64 `json:"seq"`
}

func makeVector(comment string, s *Signal, sign func([]byte) []byte) vector {
	v := vector{
		Comment: comment, Seed: hex.EncodeToString(bytes.Repeat([]byte{1}, ed25519.SeedSize)),
		Network: hex.EncodeToString(testNetwork[:]), Author: hex.EncodeToString(s.Author[:]),
		Time: s.Time, Seq: s.Seq, Interval: s.Interval.Milliseconds(), Nick: s.Nick,
		Goodbye: s.Goodbye, Total: s.Total, Rooms: []vectorRoom{},
		Envelope: hex.EncodeToString(s.Encode(testNetwork, sign)),
	}
	for _, r := range s.Rooms {
		room := vectorRoom{Name: r.Name, Seq: r.Seq, Complete: r.Complete, Heads: []string{}}
		for _, h := range r.Heads {
			room.Heads = append(room.Heads, hex.EncodeToString(h[:]))
		}
		for _, c := range r.Chains {
			room.Chains = append(room.Chains, vectorChain{hex.EncodeToString(c.Author[:]), c.Seq})
		}
		v.Rooms = append(v.Rooms, room)
	}
	return v
}

func makeVectors() []vector {
	author, sign := signer(1)
	whole := sample(author)
	bye := &Signal{Author: author, Time: whole.Time, Seq: 8, Interval: whole.Interval, Goodbye: true}
	gap := &Signal{Author: author, Time: whole.Time, Seq: 9, Interval: whole.Interval, Total: 1, Rooms: []Room{{
		Name: "lobby", Seq: 4, Heads: [][32]byte{{1}}, Chains: []Chain{{author, 4}, {[32]byte{2}, 300}},
	}}}
	return []vector{
		makeVector("two of three rooms", whole, sign),
		makeVector("a goodbye", bye, sign),
		makeVector("an ancestor is missing: how far two authors are held", gap, sign),
	}
}

func TestVectorsSignals(t *testing.T) {
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
		envelope, err := hex.DecodeString(v.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(testNetwork, envelope); err != nil {
			t.Errorf("%s: %v", v.Comment, err)
		}
	}
}
