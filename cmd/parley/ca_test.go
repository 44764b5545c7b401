package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-chat/parley/cmd/parley/internal/text"
	"github.com/parley-chat/parley/internal/certs"
)

const caPeer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

// admitted asks as a registrar does that was given ca.crt and crl.pem.
func admitted(t *testing.T, a *app, chainFile string) (*certs.Leaf, error) {
	t.Helper()
	roots, err := certs.ParseRoots(readFile(t, filepath.Join(a.caDir(), caCertFile)), readFile(t, filepath.Join(a.caDir(), caListFile)))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := certs.ParseChain(readFile(t, chainFile))
	if err != nil {
		t.Fatal(err)
	}
	return roots.Verify(chain, caPeer, time.Now())
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The files that the commands write let a node in, until its certificate is revoked; a second
// revocation keeps the time of the first, and a CA that forgot a certificate revokes it by its file.
func TestCAFiles(t *testing.T) {
	for _, algorithm := range []certs.Algorithm{certs.Ed25519, certs.P256, certs.P384, certs.SM2} {
		a := &app{text: &text.Printer{}, out: io.Discard, err: io.Discard, dir: t.TempDir(), getenv: func(string) string { return "" }}
		prefix := filepath.Join(a.dir, "ada")
		for _, err := range []error{
			a.caInit(algorithm, "our CA", 1),
			a.caIssue(caWanted{peer: caPeer, prefix: prefix, days: 2, fewer: true}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		leaf, err := admitted(t, a, prefix+".crt")
		if err != nil || leaf.Algorithm != algorithm {
			t.Fatalf("%s: %+v, %v", algorithm, leaf, err)
		}
		if _, err := certs.ParseKey(readFile(t, prefix+".key")); err != nil {
			t.Error(err)
		}

		s := reopened(t, a)
		before := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
		s.record.Issued[0].Revoked = &before
		if err := a.caRevoke(s, leaf.Serial); err != nil {
			t.Fatal(err)
		}
		if s = reopened(t, a); !s.record.Issued[0].Revoked.Equal(before) || s.record.List != 2 {
			t.Errorf("%s: %+v", algorithm, s.record)
		}
		if _, err := admitted(t, a, prefix+".crt"); !errors.Is(err, certs.ErrRevoked) {
			t.Errorf("%s: revoked: %v", algorithm, err)
		}

		s.record.Issued = nil
		if err := s.save(time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := admitted(t, a, prefix+".crt"); err != nil {
			t.Errorf("%s: a list without it: %v", algorithm, err)
		}
		if err := a.caRevoke(s, prefix+".crt"); err != nil {
			t.Fatal(err)
		}
		if _, err := admitted(t, a, prefix+".crt"); !errors.Is(err, certs.ErrRevoked) {
			t.Errorf("%s: revoked by its file: %v", algorithm, err)
		}
	}
}

func reopened(t *testing.T, a *app) *caState {
	t.Helper()
	s, done, err := a.caOpen()
	if err != nil {
		t.Fatal(err)
	}
	done()
	return s
}
