package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/smx509"
)

func newAuthority(t testing.TB, a Algorithm) *Authority {
	t.Helper()
	ca, err := NewAuthority(rand.Reader, a, "our CA", noon.AddDate(-1, 0, 0), noon.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t testing.TB, ca *Authority, key Algorithm) (*Issued, []byte) {
	t.Helper()
	k := newKey(t, key)
	i, err := ca.Issue(rand.Reader, testPeer, k.Public(), noon.AddDate(0, -1, 0), noon.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	text, err := KeyPEM(k)
	if err != nil {
		t.Fatal(err)
	}
	return i, text
}

// What a CA of each algorithm issues lets that peer in, until it is revoked; read again from its
// files the CA is the same.
func TestAuthority(t *testing.T) {
	for _, a := range algorithms {
		ca := newAuthority(t, a)
		keyText, err := ca.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		if ca, err = LoadAuthority(ca.CertificatePEM(), keyText); err != nil || ca.Algorithm() != a {
			t.Fatalf("%s: loaded: %v, %v", a, ca, err)
		}
		one, key := issue(t, ca, a)
		two, _ := issue(t, ca, a)
		if one.Peer != testPeer || len(one.Serial) != 32 || one.Serial == two.Serial || !one.NotAfter.Equal(noon.AddDate(0, 1, 0)) {
			t.Errorf("%s: %+v", a, one)
		}
		leaf, err := verifyIssued(t, one, testPeer, ca.CertificatePEM())
		if err != nil || leaf.Serial != one.Serial || leaf.Subject != "CN="+testPeer {
			t.Fatalf("%s: %+v, %v", a, leaf, err)
		}
		signer, err := ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := Sign(rand.Reader, signer, []byte("m"))
		if err != nil || leaf.CheckProof([]byte("m"), sig) != nil {
			t.Errorf("%s: the key does not prove the certificate: %v", a, err)
		}
		if _, err := verifyIssued(t, one, otherPeer, ca.CertificatePEM()); !errors.Is(err, ErrPeer) {
			t.Errorf("%s: another peer: %v", a, err)
		}

		crl, err := ca.Revoke(rand.Reader, []Revocation{{one.Serial, noon}}, 2, noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifyIssued(t, one, testPeer, ca.CertificatePEM(), crl); !errors.Is(err, ErrRevoked) {
			t.Errorf("%s: revoked: %v", a, err)
		}
		if _, err := verifyIssued(t, two, testPeer, ca.CertificatePEM(), crl); err != nil {
			t.Errorf("%s: another one than was revoked: %v", a, err)
		}
	}
}

func verifyIssued(t testing.TB, i *Issued, peerID string, trusted ...[]byte) (*Leaf, error) {
	t.Helper()
	chain, err := ParseChain(i.PEM)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, trusted...).Verify(chain, peerID, noon)
}

// A CA that was made here lets no other CA stand below it.
func TestAuthorityHasNoneBelow(t *testing.T) {
	a := newAuthority(t, P256)
	below := ca(t, &holder{a.cert.Raw, a.key}, P256, "below", nil)
	_, err := parsed(t, a.CertificatePEM()).Verify(chainOf(node(t, below, P256, nil), below), testPeer, noon)
	if !errors.Is(err, ErrUsage) {
		t.Error(err)
	}
}

func TestIssuedByWhom(t *testing.T) {
	ours, theirs := newAuthority(t, Ed25519), newAuthority(t, Ed25519)
	i, _ := issue(t, ours, SM2)
	if got, err := ours.Issued(i.PEM); err != nil || got.Serial != i.Serial || got.Peer != i.Peer {
		t.Errorf("ours: %+v, %v", got, err)
	}
	if _, err := theirs.Issued(i.PEM); !errors.Is(err, ErrAuthority) {
		t.Errorf("theirs, of the same name: %v", err)
	}
}

func TestIssueRefused(t *testing.T) {
	ca, key := newAuthority(t, P256), newKey(t, P256).Public()
	if _, err := ca.Issue(rand.Reader, testPeer, key, noon, ca.NotAfter().AddDate(0, 0, 1)); !errors.Is(err, ErrOwnPeriod) {
		t.Errorf("longer than the CA: %v", err)
	}
	if _, err := ca.Issue(rand.Reader, testPeer, key, noon, noon); !errors.Is(err, ErrOwnPeriod) {
		t.Errorf("for no time: %v", err)
	}
	if _, err := ca.Issue(rand.Reader, testPeer, rsaPublic(t), noon, noon.AddDate(0, 1, 0)); !errors.Is(err, ErrRequest) {
		t.Errorf("an RSA key: %v", err)
	}
	if _, err := ca.Issue(rand.Reader, "", key, noon, noon.AddDate(0, 1, 0)); err == nil {
		t.Error("a certificate for nobody binds nobody")
	}
	if _, err := ca.Issue(io.LimitReader(rand.Reader, 15), testPeer, key, noon, noon.AddDate(0, 1, 0)); err == nil {
		t.Error("a serial number of too little randomness")
	}
}

func rsaPublic(t *testing.T) any {
	t.Helper()
	b, _ := pem.Decode(file(t, "bad-rsa.pem"))
	c, err := smx509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c.PublicKey
}

func TestLoadAuthorityRefuses(t *testing.T) {
	a, b := newAuthority(t, P256), newAuthority(t, P256)
	key, err := a.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	i, leafKey := issue(t, a, P256)
	for _, c := range []struct {
		name      string
		cert, key []byte
		want      error
	}{
		{"another CA's key", b.CertificatePEM(), key, ErrOwnCA},
		{"a node's certificate", i.PEM, leafKey, ErrOwnCA},
		{"no key", a.CertificatePEM(), nil, ErrKeyFile},
		{"no certificate", key, key, ErrChain},
	} {
		if _, err := LoadAuthority(c.cert, c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestRequest(t *testing.T) {
	for _, a := range algorithms {
		key := newKey(t, a)
		der, err := smx509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "me"}}, key)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
		if pub, err := ParseRequest(text); err != nil || !sameKey(key.Public(), pub) {
			t.Errorf("%s: %v", a, err)
		}
		der[bytes.Index(der, []byte("me"))]++
		for name, bad := range map[string][]byte{
			"changed":       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			"cut":           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der[:50]}),
			"two":           append(text, text...),
			"a certificate": file(t, "p256-direct.pem"),
			"nothing":       nil,
		} {
			if _, err := ParseRequest(bad); !errors.Is(err, ErrRequest) {
				t.Errorf("%s: %s: %v", a, name, err)
			}
		}
	}
	key, err := smx509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p521(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRequest(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: key})); !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), "of a kind that is not taken") {
		t.Errorf("P-521: %v", err)
	}
}
