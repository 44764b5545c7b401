package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

const (
	testPeer  = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
	otherPeer = "12D3KooWGRUfM9s2tuq5LyzvXv9W5TRhYxyQAxtNyM5UpUXaLGoN"
)

var (
	algorithms = []Algorithm{Ed25519, P256, P384, SM2}
	noon       = time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	serials    int64
)

// holder is a certificate and its key.
type holder struct {
	der []byte
	key crypto.Signer
}

func newKey(t testing.TB, a Algorithm) crypto.Signer {
	t.Helper()
	key, err := GenerateKey(rand.Reader, a)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed makes a certificate for a key under a parent, by itself if that is nil.
func signed(t testing.TB, parent *holder, key crypto.Signer, template *x509.Certificate) *holder {
	t.Helper()
	serials++
	template.SerialNumber = big.NewInt(serials)
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)
	}
	by, signer := template, key
	if parent != nil {
		c, err := smx509.ParseCertificate(parent.der)
		if err != nil {
			t.Fatal(err)
		}
		by, signer = c.ToX509(), parent.key
	}
	der, err := smx509.CreateCertificate(rand.Reader, template, by, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{der, key}
}

// ca makes a CA; change, if there is one, spoils it.
func ca(t testing.TB, parent *holder, a Algorithm, name string, change func(*x509.Certificate)) *holder {
	t.Helper()
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if change != nil {
		change(c)
	}
	return signed(t, parent, newKey(t, a), c)
}

// node makes a node's certificate; change, if there is one, spoils it.
func node(t testing.TB, parent *holder, a Algorithm, change func(*x509.Certificate)) *holder {
	t.Helper()
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: "node"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	bind(t, testPeer)(c)
	if change != nil {
		change(c)
	}
	return signed(t, parent, newKey(t, a), c)
}

// bind names peers in a certificate, in the place of those it named.
func bind(t testing.TB, ids ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.URIs = nil
		for _, id := range ids {
			u := PeerURI + id
			c.URIs = append(c.URIs, parseURI(t, u))
		}
	}
}

func rootsOf(t testing.TB, holders ...*holder) *Roots {
	t.Helper()
	var text []byte
	for _, h := range holders {
		text = append(text, certPEM(h.der)...)
	}
	return parsed(t, text)
}

func parsed(t testing.TB, texts ...[]byte) *Roots {
	t.Helper()
	r, err := ParseRoots(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func chainOf(holders ...*holder) (chain [][]byte) {
	for _, h := range holders {
		chain = append(chain, h.der)
	}
	return chain
}

// file reads what OpenSSL wrote; see testdata/make.sh.
func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func chainFile(t testing.TB, name string) [][]byte {
	t.Helper()
	chain, err := ParseChain(file(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return chain
}
