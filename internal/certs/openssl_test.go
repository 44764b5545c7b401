package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"testing"
	"time"
)

// What OpenSSL issued lets its node in, with a CA between and without, and the proofs of either
// side hold for the other.
func TestOpenSSL(t *testing.T) {
	for _, a := range algorithms {
		t.Run(string(a), func(t *testing.T) {
			roots := parsed(t, file(t, string(a)+"-root.pem"))
			if cas, revoked := roots.Size(); cas != 1 || revoked != 1 {
				t.Fatalf("%d CAs, %d revoked", cas, revoked)
			}
			for _, kind := range []string{"-direct", "-chain"} {
				chain := chainFile(t, string(a)+kind+".pem")
				leaf, err := roots.Verify(chain, testPeer, noon)
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if leaf.Algorithm != a || leaf.Subject != "CN="+string(a)+kind+",O=Parley" ||
					leaf.Fingerprint != sha256.Sum256(chain[0]) || len(leaf.Serial) != 40 || leaf.NotAfter.Year() != 2126 {
					t.Errorf("%s: %+v", kind, leaf)
				}
				provesItself(t, leaf, string(a)+kind+".key")
				if _, err := roots.Verify(chain, otherPeer, noon); !errors.Is(err, ErrPeer) {
					t.Errorf("%s: another peer: %v", kind, err)
				}
			}
			leaf, err := roots.Verify(chainFile(t, string(a)+"-direct.pem"), testPeer, noon)
			if err != nil {
				t.Fatal(err)
			}
			if err := leaf.CheckProof(file(t, "proof.txt"), file(t, string(a)+"-proof.sig")); err != nil {
				t.Errorf("OpenSSL's proof: %v", err)
			}
		})
	}
}

// provesItself signs with a key file, and sees every change to the proof refused.
func provesItself(t *testing.T, leaf *Leaf, name string) {
	t.Helper()
	key, err := ParseKey(file(t, name))
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("this is me")
	sig, err := Sign(rand.Reader, key, msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := leaf.CheckProof(msg, sig); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for what, bad := range map[string]error{
		"another message":  leaf.CheckProof(append(msg, '!'), sig),
		"a cut signature":  leaf.CheckProof(msg, sig[:len(sig)-1]),
		"a long signature": leaf.CheckProof(msg, append(sig[:len(sig):len(sig)], 0)),
		"no signature":     leaf.CheckProof(msg, nil),
		"another key":      leaf.CheckProof(msg, otherProof(t, leaf.Algorithm, msg)),
	} {
		if !errors.Is(bad, ErrProof) {
			t.Errorf("%s: %s: %v", name, what, bad)
		}
	}
}

func otherProof(t *testing.T, a Algorithm, msg []byte) []byte {
	t.Helper()
	sig, err := Sign(rand.Reader, newKey(t, a), msg)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// A certificate that OpenSSL's CRL lists is refused because of it alone.
func TestOpenSSLRevoked(t *testing.T) {
	for _, a := range algorithms {
		text, chain := file(t, string(a)+"-root.pem"), chainFile(t, string(a)+"-revoked.pem")
		if _, err := parsed(t, text).Verify(chain, testPeer, noon); !errors.Is(err, ErrRevoked) {
			t.Errorf("%s: %v", a, err)
		}
		root, _ := pem.Decode(text)
		if _, err := parsed(t, certPEM(root.Bytes)).Verify(chain, testPeer, noon); err != nil {
			t.Errorf("%s without the CRL: %v", a, err)
		}
	}
}

// The CRL may come in a text of its own, and before its CA.
func TestRootsInSeveralTexts(t *testing.T) {
	text := file(t, "sm2-root.pem")
	at := bytes.Index(text, []byte("-----BEGIN X509 CRL"))
	for name, r := range map[string]*Roots{
		"two texts":      parsed(t, text[:at], text[at:]),
		"the CRL before": parsed(t, text[at:], text[:at]),
		"no newline":     parsed(t, bytes.TrimSpace(text[:at]), bytes.TrimSpace(text[at:])),
		"each twice":     parsed(t, text, text),
	} {
		if cas, revoked := r.Size(); cas != 1 || revoked != 1 {
			t.Errorf("%s: %d CAs, %d revoked", name, cas, revoked)
		}
	}
}

// Other kinds of keys and SHA-1 are refused as such, though a trusted CA signed them.
func TestOpenSSLOtherKeys(t *testing.T) {
	roots := parsed(t, file(t, "p256-root.pem"))
	for _, name := range []string{"rsa", "p224", "p521", "secp256k1", "sha1"} {
		b, _ := pem.Decode(file(t, "bad-"+name+".pem"))
		if _, err := roots.Verify([][]byte{b.Bytes}, testPeer, noon); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Time decides about OpenSSL's as about any other.
func TestOpenSSLTimes(t *testing.T) {
	roots, chain := parsed(t, file(t, "sm2-root.pem")), chainFile(t, "sm2-chain.pem")
	for at, want := range map[time.Time]error{
		time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC): ErrNotYetValid,
		time.Date(2127, 1, 1, 0, 0, 0, 0, time.UTC): ErrExpired,
		{}: ErrNotYetValid,
	} {
		if _, err := roots.Verify(chain, testPeer, at); !errors.Is(err, want) {
			t.Errorf("at %v: %v", at, err)
		}
	}
}
