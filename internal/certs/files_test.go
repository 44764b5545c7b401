package certs

//lint:file-ignore SA1019 smx509 reads the list of a CRL from no other field

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/smx509"
)

func p521(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// crlOf signs a list that revokes the serial number 7; change, if there is one, spoils it.
func crlOf(t testing.TB, h *holder, change func(*x509.RevocationList)) []byte {
	t.Helper()
	c, err := smx509.ParseCertificate(h.der)
	if err != nil {
		t.Fatal(err)
	}
	c.KeyUsage |= x509.KeyUsageCRLSign // for smx509, which else does not sign
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.AddDate(0, 1, 0)}
	list.RevokedCertificates = []pkix.RevokedCertificate{{SerialNumber: big.NewInt(7), RevocationTime: noon}}
	if change != nil {
		change(list)
	}
	der, err := smx509.CreateRevocationList(rand.Reader, list, c, h.key)
	if err != nil {
		t.Fatal(err)
	}
	return block("X509 CRL", der)
}

// renamed is another CA with the key of one.
func renamed(t *testing.T, h *holder) *holder {
	t.Helper()
	return signed(t, nil, h.key, &x509.Certificate{
		Subject: pkix.Name{CommonName: "other"}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCRLSign,
	})
}

// What an operator trusts is taken whole or not at all, and the error says which block is at fault.
func TestParseRootsRefuses(t *testing.T) {
	root := ca(t, nil, P256, "root", nil)
	good := certPEM(root.der)
	crl := crlOf(t, root, nil)
	extension := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	list, _ := pem.Decode(crl)
	changed := bytes.Clone(list.Bytes)
	changed[bytes.LastIndex(changed, []byte{2, 1, 7})+2]++ // the serial number that it revokes
	for _, c := range []struct {
		name, says string
		text       []byte
	}{
		{"nothing", "no PEM block", nil},
		{"no PEM", "no PEM block", []byte("hello")},
		{"a CRL alone", "0 CA certificates", crl},
		{"a node's certificate", "is not a CA", slices.Concat(good, certPEM(node(t, root, P256, nil).der))},
		{"a CA without the usage", "is not a CA", certPEM(ca(t, nil, P256, "x", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }).der)},
		{"a CA of P-521", "is of a kind that is not taken", certPEM(signed(t, nil, p521(t), &x509.Certificate{BasicConstraintsValid: true, IsCA: true}).der)},
		{"a key", "neither a certificate nor a CRL", slices.Concat(good, file(t, "p256-direct.key"))},
		{"a certificate that is cut", "malformed", slices.Concat(good, block("CERTIFICATE", root.der[:80]))},
		{"a block that is damaged", "damaged", slices.Concat(good, bytes.Replace(crl, []byte("\n"), []byte("\n*"), 1))},
		{"a block that does not end", "damaged", slices.Concat(good, crl[:len(crl)/2])},
		{"a CRL that is cut", "malformed", slices.Concat(good, block("X509 CRL", root.der))},
		{"a CRL that was changed", "none of the CAs signed it", slices.Concat(good, block("X509 CRL", changed))},
		{"a CRL of another CA", "none of the CAs signed it", slices.Concat(good, crlOf(t, ca(t, nil, P256, "other", nil), nil))},
		{"a CRL of a CA with its name", "none of the CAs signed it", slices.Concat(good, crlOf(t, ca(t, nil, P256, "root", nil), nil))},
		{"a CRL signed over SHA-1", "none of the CAs signed it", slices.Concat(good, crlOf(t, root, func(l *x509.RevocationList) {
			l.SignatureAlgorithm = x509.ECDSAWithSHA1
		}))},
		{"a CRL of the CA's key under another name", "none of the CAs signed it", slices.Concat(good, crlOf(t, renamed(t, root), nil))},
		{"a CRL of a CA that may sign none", "none of the CAs signed it", func() []byte {
			h := ca(t, nil, P256, "x", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
			return slices.Concat(certPEM(h.der), crlOf(t, h, nil))
		}()},
		{"a CRL of changes alone", "critical extension 2.5.29.27", slices.Concat(good, crlOf(t, root, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{extension}
		}))},
		{"a CRL for others", "critical extension 2.5.29.29", slices.Concat(good, crlOf(t, root, func(l *x509.RevocationList) {
			extension := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}
			l.RevokedCertificates[0].Extensions = []pkix.Extension{extension}
		}))},
		{"too many CAs", "257 CA certificates", func() (text []byte) {
			key := newKey(t, Ed25519)
			for range maxRoots + 1 {
				text = append(text, certPEM(signed(t, nil, key, &x509.Certificate{BasicConstraintsValid: true, IsCA: true}).der)...)
			}
			return text
		}()},
	} {
		r, err := ParseRoots(c.text)
		if !errors.Is(err, ErrRoots) || r != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := ParseRoots(make([]byte, maxRootsBytes), nil); !errors.Is(err, ErrRoots) || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("too long: %v", err)
	}
}

// A CRL past its next update still refuses what it lists, and a later one takes nothing back.
func TestOldCRLCounts(t *testing.T) {
	root := ca(t, nil, P256, "root", nil)
	n := node(t, root, P256, nil)
	listed := crlOf(t, root, func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = noon.AddDate(0, -2, 0), noon.AddDate(0, -1, 0)
		l.RevokedCertificates[0].SerialNumber = big.NewInt(serials)
	})
	roots := parsed(t, certPEM(root.der), listed, crlOf(t, root, nil))
	if _, err := roots.Verify(chainOf(n), testPeer, noon); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

// A CA between is revoked as any other, and with it all that it issued.
func TestRevokedBetween(t *testing.T) {
	root := ca(t, nil, SM2, "root", nil)
	middle := ca(t, root, SM2, "middle", nil)
	crl := crlOf(t, root, func(l *x509.RevocationList) {
		l.RevokedCertificates[0].SerialNumber = big.NewInt(serials)
	})
	chain := chainOf(node(t, middle, SM2, nil), middle)
	for name, trusted := range map[string][]byte{
		"the root alone":           certPEM(root.der),
		"the CA between is listed": append(certPEM(root.der), certPEM(middle.der)...),
	} {
		if _, err := parsed(t, trusted, crl).Verify(chain, testPeer, noon); !errors.Is(err, ErrRevoked) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseChain(t *testing.T) {
	good := file(t, "sm2-chain.pem")
	chain, err := ParseChain(append(file(t, "sm2-chain.key"), good...))
	if err != nil || len(chain) != 2 {
		t.Errorf("with its key: %d, %v", len(chain), err)
	}
	for _, c := range []struct {
		name string
		text []byte
		want error
	}{
		{"nothing", nil, ErrChain},
		{"a key", file(t, "sm2-chain.key"), ErrChain},
		{"a damaged block", good[:len(good)-10], ErrChain},
		{"a cut certificate", block("CERTIFICATE", chain[0][:99]), ErrMalformed},
		{"the wrong way round", append(certPEM(chain[1]), certPEM(chain[0])...), ErrMalformed},
		{"RSA", file(t, "bad-rsa.pem"), ErrKey},
		{"five", bytes.Repeat(good, 3), ErrMalformed},
	} {
		if _, err := ParseChain(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestParseKey(t *testing.T) {
	for _, a := range algorithms {
		for _, kind := range []string{"-direct.key", "-chain.key"} {
			text := file(t, string(a)+kind)
			for name, whole := range map[string][]byte{
				"alone":               text,
				"after parameters":    append(block("EC PARAMETERS", []byte{5, 0}), text...),
				"after a certificate": append(file(t, "p256-direct.pem"), text...),
			} {
				if key, err := ParseKey(whole); err != nil || algorithmOf(key.Public()) != a {
					t.Errorf("%s%s %s: %v", a, kind, name, err)
				}
			}
		}
	}
	good := file(t, "p256-direct.key")
	other, err := smx509.MarshalPKCS8PrivateKey(p521(t))
	if err != nil {
		t.Fatal(err)
	}
	der, _ := pem.Decode(good)
	for name, text := range map[string][]byte{
		"nothing":      nil,
		"no key":       file(t, "p256-direct.pem"),
		"two keys":     slices.Concat(good, good),
		"P-521":        block("PRIVATE KEY", other),
		"cut":          block("PRIVATE KEY", other[:50]),
		"RSA":          block("RSA PRIVATE KEY", other),
		"encrypted":    block("ENCRYPTED PRIVATE KEY", der.Bytes),
		"encrypted EC": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1}}),
		"wrong kind":   block("EC PRIVATE KEY", der.Bytes),
		"damaged":      good[:len(good)-10],
	} {
		key, err := ParseKey(text)
		if !errors.Is(err, ErrKeyFile) || key != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "encrypted") && !strings.Contains(err.Error(), "it is encrypted") {
			t.Errorf("%s: does not say so: %v", name, err)
		}
	}
}

// An error never quotes the key.
func TestKeyErrorsTellNothing(t *testing.T) {
	b, _ := pem.Decode(file(t, "p256-chain.key"))
	for i := range b.Bytes {
		der := bytes.Clone(b.Bytes)
		der[i] ^= 0xff
		if _, err := ParseKey(block("EC PRIVATE KEY", der)); err != nil && len(err.Error()) > 260 {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	if sig, err := Sign(rand.Reader, p521(t), []byte("m")); err == nil || sig != nil {
		t.Error("a P-521 key signs")
	}
}
