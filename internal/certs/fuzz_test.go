package certs

import (
	"encoding/pem"
	"errors"
	"testing"

	"github.com/parley-chat/parley/internal/fault"
)

// Whatever a stranger presents, Verify ends with a reason and lets nobody in but with a chain that
// a root of OpenSSL's signed: what is signed in the certificates of the corpus is all there is.
func FuzzVerify(f *testing.F) {
	var all []byte
	for _, a := range algorithms {
		root, _ := pem.Decode(file(f, string(a)+"-root.pem"))
		all = append(all, certPEM(root.Bytes)...)
		for _, kind := range []string{"-direct.pem", "-chain.pem", "-revoked.pem"} {
			chain := chainFile(f, string(a)+kind)
			f.Add(chain[0], chain[len(chain)-1], uint8(len(chain)))
		}
	}
	for _, name := range []string{"rsa", "p224", "p521", "secp256k1", "sha1"} {
		b, _ := pem.Decode(file(f, "bad-"+name+".pem"))
		f.Add(b.Bytes, []byte{}, uint8(1))
	}
	roots := parsed(f, all)
	known := map[string]bool{}
	for _, a := range algorithms {
		for _, kind := range []string{"-direct.pem", "-chain.pem", "-revoked.pem"} {
			c, err := parse(chainFile(f, string(a)+kind)[0])
			if err != nil {
				f.Fatal(err)
			}
			known[string(c.RawTBSCertificate)] = true
		}
	}
	f.Fuzz(func(t *testing.T, leaf, next []byte, n uint8) {
		chain := [][]byte{leaf, next, next, leaf, next}[:n%6]
		got, err := roots.Verify(chain, testPeer, noon)
		switch {
		case err == nil:
			if c, err := parse(leaf); err != nil || !known[string(c.RawTBSCertificate)] {
				t.Fatalf("a forged certificate: %x", leaf)
			}
			if got.CheckProof([]byte("m"), next) == nil {
				t.Fatal("any bytes are a proof")
			}
		case Reason(err) == "other" || got != nil:
			t.Fatalf("no reason: %v", err)
		case len(err.Error()) > 3*maxText:
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
	})
}

// Whatever stands in the files of an operator, it is read or refused with a fault.
func FuzzParseRoots(f *testing.F) {
	for _, a := range algorithms {
		f.Add(file(f, string(a)+"-root.pem"))
		f.Add(file(f, string(a)+"-chain.pem"))
		f.Add(file(f, string(a)+"-chain.key"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRoots(text)
		if (err == nil) != (r != nil) || err != nil && !errors.Is(err, ErrRoots) {
			t.Fatalf("%v, %v", r, err)
		}
		if err == nil {
			if cas, _ := r.Size(); cas == 0 {
				t.Fatal("no CA, and no error")
			}
		}
		for _, read := range []func([]byte) error{
			func(b []byte) error { _, err := ParseChain(b); return err },
			func(b []byte) error { _, err := ParseKey(b); return err },
			func(b []byte) error { _, err := ParseRequest(b); return err },
		} {
			if err := read(text); err != nil {
				if _, ok := fault.As(err); !ok {
					t.Fatalf("no fault: %v", err)
				}
			}
		}
	})
}
