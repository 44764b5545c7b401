package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

func parseURI(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func keyUsage(u x509.KeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.KeyUsage = u }
}

func extended(u ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = u }
}

func between(from, until time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, until }
}

var (
	past   = between(noon.AddDate(-2, 0, 0), noon.Add(-time.Second))
	future = between(noon.Add(time.Second), noon.AddDate(2, 0, 0))
)

// uris names other URIs than peers'.
func uris(t *testing.T, texts ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.URIs = nil
		for _, s := range texts {
			c.URIs = append(c.URIs, parseURI(t, s))
		}
	}
}

func critical(c *x509.Certificate) {
	c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
}

// named is the extension with one URI, whatever stands in it.
func named(t *testing.T, uri string) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

// eccSM2 makes ECDSA signatures with an SM2 key.
type eccSM2 struct{ *sm2.PrivateKey }

func (k eccSM2) Sign(random io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return ecdsa.SignASN1(random, &k.PrivateKey.PrivateKey, digest)
}

func ecdsaBySM2(t *testing.T, root *holder) *holder {
	t.Helper()
	by := &holder{root.der, eccSM2{root.key.(*sm2.PrivateKey)}}
	return node(t, by, P256, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA256 })
}

// serialed is a certificate with that serial number, whose first byte is then changed.
func serialed(t *testing.T, root *holder, serial []byte, change byte) []byte {
	t.Helper()
	key := newKey(t, P256)
	parent, err := smx509.ParseCertificate(root.der)
	if err != nil {
		t.Fatal(err)
	}
	der, err := smx509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), NotBefore: noon, NotAfter: noon,
	}, parent.ToX509(), key.Public(), root.key)
	if err != nil {
		t.Fatal(err)
	}
	der[bytes.Index(der, serial)] ^= change
	return der
}

// Each algorithm signs for each other: root, a CA between, node.
func TestVerifyGood(t *testing.T) {
	for _, up := range algorithms {
		for _, down := range algorithms {
			root := ca(t, nil, up, "root", nil)
			middle := ca(t, root, down, "middle", nil)
			roots := rootsOf(t, root)
			for name, chain := range map[string][][]byte{
				"direct":           chainOf(node(t, root, down, nil)),
				"direct with root": chainOf(node(t, root, down, nil), root),
				"between":          chainOf(node(t, middle, up, nil), middle),
				"all":              chainOf(node(t, middle, up, nil), middle, root),
			} {
				if _, err := roots.Verify(chain, testPeer, noon); err != nil {
					t.Errorf("%s and %s, %s: %v", up, down, name, err)
				}
			}
		}
	}
}

func TestVerifyTable(t *testing.T) {
	root := ca(t, nil, P256, "root", nil)
	middle := ca(t, root, Ed25519, "middle", nil)
	deep := ca(t, ca(t, middle, P256, "deep", nil), P256, "deeper", nil)
	short := ca(t, nil, P256, "short", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	old, young := ca(t, nil, P256, "old", past), ca(t, nil, P256, "young", future)
	impostor := ca(t, nil, P256, "root", nil)
	stranger := ca(t, nil, P256, "stranger", nil)
	middle256, sm2Root := ca(t, root, P256, "p256", nil), ca(t, nil, SM2, "sm2", nil)
	roots := rootsOf(t, root, short, old, young, sm2Root)

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaMiddle := signed(t, root, rsaKey, &x509.Certificate{
		Subject: pkix.Name{CommonName: "rsa"}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	})
	under := func(parent *holder, change func(*x509.Certificate)) [][]byte {
		chain := chainOf(node(t, parent, P256, change))
		if parent != root && parent != short && parent != old && parent != young {
			chain = append(chain, parent.der)
		}
		return chain
	}
	of := func(change func(*x509.Certificate)) *holder { return ca(t, root, P256, "of", change) }
	good := under(root, nil)
	flipped := slices.Clone(good[0])
	flipped[len(flipped)-1] ^= 1
	end := between(noon.AddDate(-1, 0, 0), noon)
	begin := between(noon, noon.AddDate(1, 0, 0))

	for _, c := range []struct {
		name  string
		chain [][]byte
		want  error
	}{
		{"good", good, nil},
		{"its last second", under(root, end), nil},
		{"its first second", under(root, begin), nil},
		{"no usage said", under(root, func(c *x509.Certificate) { c.KeyUsage, c.ExtKeyUsage = 0, nil }), nil},
		{"any extended usage", under(root, extended(x509.ExtKeyUsageAny)), nil},
		{"client among others", under(root, extended(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)), nil},
		{"for any peer", under(root, bind(t)), nil},
		{"for several peers", under(root, bind(t, otherPeer, testPeer)), nil},
		{"other URIs do not count", under(root, uris(t, "https://example.org/x", "urn:parley:peer:x")), nil},
		{"a CA between that says no usage", under(of(keyUsage(0)), nil), nil},

		{"expired", under(root, past), ErrExpired},
		{"a CA between expired", under(of(past), nil), ErrExpired},
		{"the root expired", under(old, nil), ErrExpired},
		{"not yet valid", under(root, future), ErrNotYetValid},
		{"a CA between not yet valid", under(of(future), nil), ErrNotYetValid},
		{"the root not yet valid", under(young, nil), ErrNotYetValid},

		{"self-signed", chainOf(node(t, nil, P256, nil)), ErrAuthority},
		{"of an unknown CA", under(stranger, nil), ErrAuthority},
		{"of an unknown CA, which is sent", chainOf(node(t, stranger, P256, nil), stranger), ErrAuthority},
		{"of another CA with the root's name", chainOf(node(t, impostor, P256, nil)), ErrAuthority},
		{"the same, which is sent", chainOf(node(t, impostor, P256, nil), impostor), ErrAuthority},
		{"a signature with one bit changed", [][]byte{flipped}, ErrAuthority},
		{"a CA between that did not sign it", chainOf(node(t, impostor, P256, func(c *x509.Certificate) {
			c.Subject.CommonName = "x"
		}), ca(t, root, P256, "root", nil)), ErrAuthority},

		{"another peer", under(root, bind(t, otherPeer)), ErrPeer},
		{"two other peers", under(root, bind(t, otherPeer, otherPeer+"x")), ErrPeer},
		{"the beginning of the peer ID", under(root, bind(t, testPeer[:20])), ErrPeer},
		{"the peer ID and more", under(root, bind(t, testPeer+"?x")), ErrPeer},
		{"another peer beside another URI", under(root, uris(t, "https://example.org/"+testPeer, PeerURI+otherPeer)), ErrPeer},
		{"a scheme in upper case", under(root, uris(t, "PARLEY:peer:"+otherPeer)), ErrPeer},
		{"no peer at all", under(root, bind(t, "")), ErrPeer},

		{"SHA-1 by a CA between", under(middle256, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }), ErrKey},
		{"ECDSA by an SM2 key", chainOf(ecdsaBySM2(t, sm2Root)), ErrKey},
		{"an RSA key", chainOf(signed(t, root, rsaKey, &x509.Certificate{})), ErrKey},
		{"a CA between with an RSA key", under(rsaMiddle, nil), ErrKey},

		{"for encryption alone", under(root, keyUsage(x509.KeyUsageKeyEncipherment)), ErrUsage},
		{"for servers", under(root, extended(x509.ExtKeyUsageServerAuth)), ErrUsage},
		{"a CA's", under(root, func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true }), ErrUsage},
		{"the root's own", chainOf(root), ErrUsage},
		{"a critical extension", under(root, critical), ErrUsage},
		{"issued by a node", under(node(t, root, P256, nil), nil), ErrUsage},
		{"a CA between that is none", under(of(func(c *x509.Certificate) { c.IsCA = false }), nil), ErrUsage},
		{"a CA between without its constraints", under(of(func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = false, false }), nil), ErrUsage},
		{"a CA between that may sign CRLs alone", under(of(keyUsage(x509.KeyUsageCRLSign)), nil), ErrUsage},
		{"a CA between for servers", under(of(extended(x509.ExtKeyUsageServerAuth)), nil), ErrUsage},
		{"a CA between with a critical extension", under(of(critical), nil), ErrUsage},
		{"a CA between for other names", under(of(func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.org"}
		}), func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }), ErrUsage},
		{"a CA below one that may have none", under(ca(t, short, P256, "below", nil), nil), ErrUsage},

		{"a CA between that is not needed", chainOf(node(t, root, P256, nil), ca(t, root, P256, "root", nil)), ErrAuthority},

		{"a serial number of 21 bytes", [][]byte{serialed(t, root, append([]byte{1}, make([]byte, 20)...), 0)}, ErrMalformed},
		{"a negative serial number", [][]byte{serialed(t, root, bytes.Repeat([]byte{0x7b}, 16), 0x80)}, ErrMalformed},
		{"a URI that is none, and long", under(root, func(c *x509.Certificate) {
			c.URIs = nil
			c.ExtraExtensions = []pkix.Extension{named(t, "http://["+strings.Repeat("\x1b", 9000))}
		}), ErrMalformed},
		{"nothing", nil, ErrMalformed},
		{"an empty certificate", [][]byte{{}}, ErrMalformed},
		{"no certificate", [][]byte{[]byte("certificate")}, ErrMalformed},
		{"a cut one", [][]byte{good[0][:len(good[0])-1]}, ErrMalformed},
		{"one and more", [][]byte{append(slices.Clone(good[0]), 0)}, ErrMalformed},
		{"five", append(chainOf(node(t, deep, P256, nil), deep), make([][]byte, 3)...), ErrMalformed},
		{"too many bytes", [][]byte{node(t, root, P256, func(c *x509.Certificate) {
			c.Subject.Organization = []string{strings.Repeat("x", MaxChainBytes)}
		}).der}, ErrMalformed},
		{"reordered", [][]byte{middle.der, under(middle, nil)[0]}, ErrMalformed},
		{"one left out", chainOf(node(t, middle, P256, nil), root), ErrMalformed},
		{"twice the same", append(under(root, nil), good...), ErrMalformed},
	} {
		leaf, err := roots.Verify(c.chain, testPeer, noon)
		if !errors.Is(err, c.want) || (err == nil) != (leaf != nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && len(err.Error()) > 2*maxText+200 {
			t.Errorf("%s: an error of %d bytes", c.name, len(err.Error()))
		}
	}
	if _, err := roots.Verify(under(root, bind(t, "")), "", noon); !errors.Is(err, ErrPeer) {
		t.Errorf("no peer ID is a peer ID: %v", err)
	}
}

// Four certificates are a chain, the root among them or not; five are none.
func TestVerifyLength(t *testing.T) {
	root := ca(t, nil, P256, "root", nil)
	a := ca(t, root, P256, "a", nil)
	b := ca(t, a, P256, "b", nil)
	c := ca(t, b, P256, "c", nil)
	roots := rootsOf(t, root)
	if _, err := roots.Verify(chainOf(node(t, b, P256, nil), b, a, root), testPeer, noon); err != nil {
		t.Error(err)
	}
	chain := chainOf(node(t, c, P256, nil), c, b, a)
	if _, err := roots.Verify(chain, testPeer, noon); err != nil {
		t.Error(err)
	}
	if _, err := roots.Verify(append(chain, root.der), testPeer, noon); !errors.Is(err, ErrMalformed) {
		t.Errorf("five: %v", err)
	}
}

// The times of a Leaf are those in which the whole chain holds, with a root that was not sent.
func TestLeafTimes(t *testing.T) {
	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	root := ca(t, nil, Ed25519, "root", between(day(-1), day(9)))
	middle := ca(t, root, Ed25519, "middle", between(day(-5), day(3)))
	n := node(t, middle, Ed25519, between(day(-3), day(5)))
	leaf, err := rootsOf(t, root).Verify(chainOf(n, middle), testPeer, noon)
	if err != nil {
		t.Fatal(err)
	}
	if !leaf.NotBefore.Equal(day(-1)) || !leaf.NotAfter.Equal(day(3)) {
		t.Errorf("from %v to %v", leaf.NotBefore, leaf.NotAfter)
	}
}

// A subject is made fit for a log: no control, no overriding of direction, no end.
func TestLeafSubject(t *testing.T) {
	root := ca(t, nil, Ed25519, "root", nil)
	for name, want := range map[string]string{
		"a\nb\x1b[31m\u202ec":    "CN=a\ufffdb\ufffd[31m\ufffdc",
		"大厅":                     "CN=大厅",
		strings.Repeat("x", 300): "CN=" + strings.Repeat("x", maxText-6) + "…",
		strings.Repeat("厅", 100): "CN=" + strings.Repeat("厅", 64) + "…",
	} {
		n := node(t, root, Ed25519, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} })
		leaf, err := rootsOf(t, root).Verify(chainOf(n), testPeer, noon)
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Subject != want || len(leaf.Subject) > maxText {
			t.Errorf("%q, want %q", leaf.Subject, want)
		}
	}
}

// A CA that renewed its certificate with the same key is found by the one that is valid.
func TestRenewedRoot(t *testing.T) {
	key := newKey(t, P256)
	make := func(change func(*x509.Certificate)) *holder {
		c := &x509.Certificate{
			Subject: pkix.Name{CommonName: "root"}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		}
		change(c)
		return signed(t, nil, key, c)
	}
	old, now := make(past), make(between(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)))
	n := node(t, now, P256, nil)
	for _, roots := range []*Roots{rootsOf(t, old, now), rootsOf(t, now, old)} {
		if _, err := roots.Verify(chainOf(n), testPeer, noon); err != nil {
			t.Error(err)
		}
	}
}

// A CA that took another key is there twice under one name: what either signed lets in.
func TestRootsOfOneName(t *testing.T) {
	old, next := ca(t, nil, P256, "root", nil), ca(t, nil, P256, "root", nil)
	roots := rootsOf(t, old, next)
	for _, by := range []*holder{old, next} {
		if _, err := roots.Verify(chainOf(node(t, by, P256, nil)), testPeer, noon); err != nil {
			t.Error(err)
		}
	}
}

// A CA between is trusted where it stands among the trusted ones, whoever issued it.
func TestTrustedBetween(t *testing.T) {
	root := ca(t, nil, P256, "root", nil)
	middle := ca(t, root, P256, "middle", nil)
	n := node(t, middle, P256, nil)
	roots := rootsOf(t, middle)
	for _, chain := range [][][]byte{chainOf(n), chainOf(n, middle), chainOf(n, middle, root)} {
		if _, err := roots.Verify(chain, testPeer, noon); err != nil {
			t.Errorf("%d certificates: %v", len(chain), err)
		}
	}
	if _, err := roots.Verify(chainOf(node(t, root, P256, nil)), testPeer, noon); !errors.Is(err, ErrAuthority) {
		t.Errorf("the CA above it is trusted too: %v", err)
	}
}

func TestReason(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range reasons {
		if got := Reason(r.err); got != r.name || seen[got] {
			t.Errorf("%v: %q", r.err, got)
		}
		seen[r.name] = true
	}
	if Reason(nil) != "" || Reason(errors.New("x")) != "other" || Reason(ErrRoots) != "other" {
		t.Error("what is no reason has one")
	}
	if !bytes.Contains([]byte(ErrRevoked.Withf("x").Error()), []byte("P6028")) || Reason(ErrRevoked.Withf("x")) != "revoked" {
		t.Error("a fault in particular words has another reason")
	}
}
