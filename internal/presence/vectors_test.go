package presence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/wire"
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

// spec: 05-presence M3
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

const refusedFile = "testdata/refused.json"

// refusal is an envelope that is rejected.
type refusal struct {
	Comment  string `json:"comment"`
	Network  string `json:"network"`
	Envelope string `json:"envelope"`
	Reason   string `json:"reason"` // of 05-presence §4
}

func makeRefusals() (out []refusal) {
	author, sign := signer(1)
	add := func(comment, reason string, envelope []byte) {
		out = append(out, refusal{comment, hex.EncodeToString(testNetwork[:]), hex.EncodeToString(envelope), reason})
	}
	changed := func(comment string, change func(*Signal)) {
		s := sample(author)
		change(s)
		add(comment, "form", s.Encode(testNetwork, sign))
	}
	changed("interval of 0", func(s *Signal) { s.Interval = 0 })
	changed("interval of 3,600,001 ms", func(s *Signal) { s.Interval = 3_600_001 * time.Millisecond })
	changed("nick of 257 bytes", func(s *Signal) { s.Nick = strings.Repeat("x", 257) })
	changed("nick with a control character", func(s *Signal) { s.Nick = "a\x1b" })
	changed("nick with a mark of writing direction", func(s *Signal) { s.Nick = "a\u202e" })
	changed("nick that is not UTF-8", func(s *Signal) { s.Nick = "\xff" })
	changed("a room without a name", func(s *Signal) { s.Rooms[0].Name = "" })
	changed("65 rooms", func(s *Signal) { s.Rooms = slices.Repeat([]Room{{Name: "a"}}, 65) })
	changed("nine heads", func(s *Signal) { s.Rooms[0].Heads = make([][32]byte, 9) })
	changed("nine chains", func(s *Signal) { s.Rooms[0].Chains = make([]Chain, 9) })
	body := sample(author).body()
	envelope := func(body, signature []byte) []byte {
		return wire.AppendBytes(wire.AppendBytes(nil, 1, body), 2, signature)
	}
	add("empty", "form", nil)
	add("no author", "form", envelope(body[34:], sign(signed(testNetwork, body[34:]))))
	add("cut short", "form", envelope(body, nil)[:len(body)])
	good := sign(signed(testNetwork, body))
	add("no signature", "signature", envelope(body, nil))
	add("signature of 63 bytes", "signature", envelope(body, good[:63]))
	add("signature for another network", "signature", envelope(body, sign(signed([32]byte{9}, body))))
	add("signature without its domain", "signature", envelope(body, sign(signed(testNetwork, body)[len(domain):])))
	_, other := signer(2)
	add("signed by another key", "signature", envelope(body, other(signed(testNetwork, body))))
	return out
}

// spec: 05-presence M5
func TestVectorsRefusedSignals(t *testing.T) {
	want, err := json.MarshalIndent(makeRefusals(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(refusedFile, append(want, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(refusedFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(got), want) {
		t.Fatal("the vectors are different; -update writes them anew")
	}
	var refusals []refusal
	if err := json.Unmarshal(got, &refusals); err != nil {
		t.Fatal(err)
	}
	reasons := map[string]error{"form": ErrForm, "signature": ErrSignature}
	for _, v := range refusals {
		envelope, err := hex.DecodeString(v.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(testNetwork, envelope); !errors.Is(err, reasons[v.Reason]) {
			t.Errorf("%s: %v, not %s", v.Comment, err, v.Reason)
		}
	}
}
