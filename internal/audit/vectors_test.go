package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/tlog"
)

var update = flag.Bool("update", false, "write the vectors anew")

// vectors are what other languages read.
type vectors struct {
	About       string            `json:"about"`
	Registrars  []vectorRegistrar `json:"registrars"`
	Records     []vectorRecord    `json:"records"`
	Roots       []string          `json:"roots"` // of the first 0, 1, … records of the log
	Consistency vectorConsistency `json:"consistency"`
	Refused     []vectorRefused   `json:"refused"`
}

type vectorRegistrar struct {
	Seed    string `json:"seed"`
	Public  string `json:"public"`
	PeerID  string `json:"peer_id"`
	Name    string `json:"name"`
	KeyHash string `json:"key_hash"`
}

type vectorRecord struct {
	Body string `json:"body"` // what the fingerprint is over
	Line string `json:"line"`
	Leaf string `json:"leaf"`
}

type vectorConsistency struct {
	From   int64       `json:"from"`
	To     int64       `json:"to"`
	Hashes []tlog.Hash `json:"hashes"`
}

type vectorRefused struct {
	Line string `json:"line"` // hex: some are no UTF-8
	Why  string `json:"why"`
}

// vectorLog writes the log of the vectors: 12 records of registrar 1, a checkpoint
// that registrar 2 cosigned, and 8 more.
func vectorLog(t *testing.T, dir string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { // the clock decides what is signed
		c := small(t)
		c.SegmentSize = 4 << 10
		fillVectors := func(from, to int) {
			l := open(t, dir, c)
			for n := from; n < to; n++ {
				r := login(n)
				if n == 7 {
					r = full()
				}
				if _, err := l.Append(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			closed(t, l)
		}
		fillVectors(0, 12)
		l, other := open(t, dir, c), logBy(t, t.TempDir(), 2)
		point, _ := l.Checkpoint()
		signed, err := other.Cosign(point.Note, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Attach(signed); err != nil {
			t.Fatal(err)
		}
		closed(t, l)
		closed(t, other)
		fillVectors(12, 20)
	})
	remove(t, dir, lockName)
}

func makeVectors(t *testing.T, dir string) vectors {
	t.Helper()
	v := vectors{About: "Audit logs. docs/protocol/12-audit.md; the log is in the folder beside this file, its owner is the first registrar"}
	for n := byte(1); n <= 2; n++ {
		s, id := registrar(t, n)
		seed := bytes.Repeat([]byte{n}, 32)
		v.Registrars = append(v.Registrars, vectorRegistrar{
			hex.EncodeToString(seed), hex.EncodeToString(ed25519.NewKeyFromSeed(seed)[32:]), id.String(), s.Name(), fmt.Sprintf("%08x", s.KeyHash()),
		})
	}
	lines := linesOf(t, dir)
	var edge frontier
	for n, line := range append(lines, "") {
		root, err := edge.root()
		if err != nil {
			t.Fatal(err)
		}
		v.Roots = append(v.Roots, root.String())
		edge.add(tlog.RecordHash([]byte(line)), nil)
		if n == 0 || n == 7 {
			body, _, _ := strings.Cut(line, fingerprint)
			v.Records = append(v.Records, vectorRecord{body + "}", line, tlog.RecordHash([]byte(line)).String()})
		}
	}
	h, err := openHashes(dir, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer h.f.Close()
	if v.Consistency.Hashes, err = tlog.ProveTree(20, 12, h); err != nil {
		t.Fatal(err)
	}
	v.Consistency.From, v.Consistency.To = 12, 20
	v.Refused = refusedLines(lines[7])
	return v
}

// refusedLines are good but for one thing each.
func refusedLines(good string) (all []vectorRefused) {
	for _, c := range []struct{ why, old, new string }{
		{"a space", `,"op"`, `, "op"`},
		{"an order", `"reason":"certificate","detail"`, `"detail":"certificate","reason"`},
		{"a leading zero", `"size":512`, `"size":0512`},
		{"no milliseconds", `00.250Z`, `00Z`},
		{"an escape that is not needed", `Zoë`, `Zo\u00eb`},
		{"a control character", `Zoë`, "Zo\u009b"},
		{"no UTF-8", `Zoë`, "Zo\xff"},
		{"an empty op", `"register"`, `""`},
		{"a MAC with dashes", `02:00:5e`, `02-00-5e`},
	} {
		all = append(all, vectorRefused{hex.EncodeToString(refingerprint([]byte(strings.Replace(good, c.old, c.new, 1)))), c.why})
	}
	return append(all, vectorRefused{hex.EncodeToString([]byte(strings.Replace(good, "Zoë", "Zoe", 1))), "the fingerprint of another text"})
}

// spec: 12-audit M1, M2, M4, M8
func TestVectorsAudit(t *testing.T) {
	dir := t.TempDir()
	vectorLog(t, dir)
	v := makeVectors(t, dir)
	proof, err := Prove(dir, 7)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"testdata/vectors.json": asJSON(t, v), "testdata/proof.json": asJSON(t, proof)}
	remove(t, dir, hashesName) // nobody needs it to verify
	log, err := os.ReadDir(dir)
	if err != nil || len(log) != 4 {
		t.Fatal(log, err)
	}
	for _, f := range log {
		files["testdata/log/"+f.Name()] = []byte(read(t, dir, f.Name()))
	}
	for name, want := range files {
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, name, want)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is different (%v); -update writes it anew", name, err)
		}
	}
	_, first := registrar(t, 1)
	_, second := registrar(t, 2)
	rep, err := Verify(t.Context(), "testdata/log", Options{Trusted: []peer.ID{first, second}})
	if err != nil || rep.Records != 20 || rep.Signed != 20 || rep.Cosigned != 12 {
		t.Errorf("%+v, %v", rep, err)
	}
	if _, c, err := CheckProof(proof, []peer.ID{first}); err != nil || c.Size != 12 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, r := range v.Refused {
		line, err := hex.DecodeString(r.Line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseRecord(line); err == nil {
			t.Errorf("%s is taken", r.Why)
		}
	}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
