package heartbeat

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

const vectorFile = "testdata/heartbeats.json"

// vector is a heartbeat as other languages can read it: bytes are hex.
type vector struct {
	Comment  string   `json:"comment"`
	Seed     string   `json:"seed"` // of the Ed25519 key
	Network  string   `json:"network"`
	Author   string   `json:"author"`
	Time     int64    `json:"time"`
	Seq      uint64   `json:"seq"`
	Interval int64    `json:"interval_ms"`
	Zone     string   `json:"zone"`
	Addrs    []string `json:"addrs"`
	Version  string   `json:"version"`
	Load     uint8    `json:"load"`
	Goodbye  bool     `json:"goodbye"`
	Envelope string   `json:"envelope"`
}

func makeVectors() (out []vector) {
	author, sign := signer(1)
	for _, v := range []struct {
		comment string
		h       *Heartbeat
	}{
		{"all fields but the last", sample(author)},
		{"a goodbye", &Heartbeat{Author: author, Time: 1_700_000_001_000, Seq: 8, Interval: MinInterval, Goodbye: true}},
	} {
		made := vector{
			Comment: v.comment, Seed: hex.EncodeToString(bytes.Repeat([]byte{1}, ed25519.SeedSize)),
			Network: hex.EncodeToString(testNetwork[:]), Author: hex.EncodeToString(author[:]),
			Time: v.h.Time, Seq: v.h.Seq, Interval: v.h.Interval.Milliseconds(), Zone: v.h.Zone, Addrs: []string{},
			Version: v.h.Version, Load: v.h.Load, Goodbye: v.h.Goodbye,
			Envelope: hex.EncodeToString(v.h.Encode(testNetwork, sign)),
		}
		for _, a := range v.h.Addrs {
			made.Addrs = append(made.Addrs, a.String())
		}
		out = append(out, made)
	}
	return out
}

// spec: 11-registrars M14, M15
func TestVectorsHeartbeats(t *testing.T) {
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
		if h, err := Decode(testNetwork, envelope); err != nil || h.Seq != v.Seq || h.Goodbye != v.Goodbye {
			t.Errorf("%s: %+v, %v", v.Comment, h, err)
		}
	}
}
