package audit

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/mod/sumdb/tlog"
)

// spec: 12-audit M8
func TestEachRecordIsProved(t *testing.T) {
	dir := logOf(t, 50, 20)
	_, id := registrar(t, 1)
	for n := range int64(50) {
		p, err := Prove(dir, n)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(p)
		if err != nil || len(data) > MaxProof {
			t.Fatal(err, len(data))
		}
		again, err := ParseProof(data)
		if err != nil {
			t.Fatal(err)
		}
		r, c, err := CheckProof(again, []peer.ID{id})
		if err != nil || r.Index != n || r.Actor != login(int(n)).Actor || c.Size != 50 || c.Origin != id {
			t.Fatalf("record %d: %+v, %+v, %v", n, r, c, err)
		}
	}
	for _, n := range []int64{-1, 50, 1 << 60} {
		if _, err := Prove(dir, n); !errors.Is(err, ErrNoIndex) {
			t.Errorf("record %d: %v", n, err)
		}
	}
}

// spec: 12-audit M8
func TestProofsOfSomethingElseAreRefused(t *testing.T) {
	dir := logOf(t, 50, 20)
	_, id := registrar(t, 1)
	other := logOf(t, 51)
	foreign, err := Prove(other, 7)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(p *Proof){
		"record": func(p *Proof) { p.Record = strings.Replace(p.Record, "ticket", "stolen", 1) },
		"fitting record": func(p *Proof) {
			p.Record = string(refingerprint([]byte(strings.Replace(p.Record, "ticket", "stolen", 1))))
		},
		"index": func(p *Proof) { p.Index++ },
		"record and index": func(p *Proof) {
			p.Index, p.Record = 6, string(refingerprint([]byte(strings.Replace(p.Record, `"n":7`, `"n":6`, 1))))
		},
		"size":              func(p *Proof) { p.Size-- },
		"a hash":            func(p *Proof) { p.Hashes[2][5] ^= 1 },
		"one hash less":     func(p *Proof) { p.Hashes = p.Hashes[:len(p.Hashes)-1] },
		"one hash more":     func(p *Proof) { p.Hashes = append(p.Hashes, tlog.Hash{}) },
		"no hashes":         func(p *Proof) { p.Hashes = nil },
		"checkpoint":        func(p *Proof) { p.Checkpoint = strings.Replace(p.Checkpoint, "\n50\n", "\n51\n", 1) },
		"no checkpoint":     func(p *Proof) { p.Checkpoint = "" },
		"other log's":       func(p *Proof) { p.Checkpoint, p.Size = foreign.Checkpoint, foreign.Size },
		"other log's paths": func(p *Proof) { p.Hashes = foreign.Hashes },
	} {
		p, err := Prove(dir, 7)
		if err != nil {
			t.Fatal(err)
		}
		p.Hashes = slices.Clone(p.Hashes)
		spoil(&p)
		if _, _, err := CheckProof(p, []peer.ID{id}); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := Prove(dir, 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := CheckProof(p, nil); !errors.Is(err, ErrUntrusted) {
		t.Errorf("nobody is trusted: %v", err)
	}
	for _, text := range []string{"", "{}", "[]", `{"parley_audit_proof":2}`, `{"parley_audit_proof":1,"hashes":["AA=="]}`, strings.Repeat(" ", MaxProof) + "{}"} {
		if _, err := ParseProof([]byte(text)); !errors.Is(err, ErrProof) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// A registrar that signs records with numbers of its own choice proves nothing
// with them.
func TestARecordHasTheNumberOfItsPlace(t *testing.T) {
	s, id := registrar(t, 1)
	r := login(5)
	r.Index = 5
	line := appendRecord(nil, &r)
	msg, err := sign(s, 1, tlog.RecordHash(line))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := CheckProof(Proof{1, 0, string(line), 1, nil, string(msg)}, []peer.ID{id}); !errors.Is(err, ErrProof) {
		t.Error(err)
	}
}

// A record that is not what was signed is not proved, whatever else fits.
func TestNoProofOfAChangedRecord(t *testing.T) {
	dir := logOf(t, 30, 12)
	tamper(t, dir, hashes, func(lines []string) []string {
		lines[17] = strings.Replace(lines[17], "ticket", "stolen", 1)
		return lines
	})
	if _, err := Prove(dir, 17); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	remove(t, dir, checkpointsName)
	if _, err := Prove(dir, 17); !errors.Is(err, ErrUnsaid) {
		t.Error(err)
	}
	if _, err := Open(dir, small(t)); err != nil { // nothing is signed of it any more
		t.Error(err)
	}
}

// spec: 12-audit M8
func FuzzParseProof(f *testing.F) {
	dir := logOf(f, 9)
	_, id := registrar(f, 1)
	want := linesOf(f, dir)
	for n := range int64(9) {
		p, err := Prove(dir, n)
		if err != nil {
			f.Fatal(err)
		}
		data, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProof(data)
		if err != nil {
			return
		}
		r, c, err := CheckProof(p, []peer.ID{id})
		if err == nil && (c.Origin != id || r.Index < 0 || r.Index >= 9 || want[r.Index] != p.Record) {
			t.Errorf("it proves %+v of %+v", r, c)
		}
	})
}

// spec: 12-audit M6
func FuzzParseCheckpoint(f *testing.F) {
	s, id := registrar(f, 1)
	msg, err := sign(s, 17, tlog.Hash{1, 2, 3})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCheckpoint(data)
		if err == nil && c.Origin == id && (c.Size != 17 || c.Root != tlog.Hash{1, 2, 3} || c.Tag != testTag) {
			t.Errorf("%q was signed and %q is taken", msg, data)
		}
	})
}
