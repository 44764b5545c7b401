package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Authority is a small CA: a root that issues nodes' certificates, without CAs between them.
type Authority struct {
	cert certificate
	key  crypto.Signer
}

// Issued is what an authority knows of a certificate.
type Issued struct {
	Serial   string // hex, in whole bytes
	Peer     string // the peer ID that it is for, "" for any
	NotAfter time.Time
	PEM      []byte
}

// GenerateKey makes a private key. random is read for SM2 and serial numbers; Go's own algorithms
// take the system's, whatever they are given.
func GenerateKey(random io.Reader, a Algorithm) (crypto.Signer, error) {
	switch a {
	case Ed25519:
		_, key, err := ed25519.GenerateKey(random)
		return key, err
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), random)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), random)
	case SM2:
		return sm2.GenerateKey(random)
	default:
		return nil, fmt.Errorf("certs: no algorithm %q", a)
	}
}

// KeyPEM is a private key as ParseKey reads it: PKCS #8, not encrypted.
func KeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := smx509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// NewAuthority makes a CA with a new key, its certificate valid from one time to the other, in
// seconds. The name, as people know it, is its subject's common name.
func NewAuthority(random io.Reader, a Algorithm, name string, from, until time.Time) (*Authority, error) {
	key, err := GenerateKey(random, a)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial(random)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := smx509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	c, err := parse(der)
	return &Authority{c, key}, err
}

// LoadAuthority reads a CA from its certificate and its key, both PEM. The error is an ErrOwnCA, an
// ErrKeyFile or one of those that Reason names.
func LoadAuthority(certificate, key []byte) (*Authority, error) {
	chain, err := ParseChain(certificate)
	if err != nil {
		return nil, err
	}
	c, err := parse(chain[0])
	if err != nil {
		return nil, err
	}
	k, err := ParseKey(key)
	if err != nil {
		return nil, err
	}
	if !sameKey(k.Public(), c.PublicKey) {
		return nil, ErrOwnCA
	}
	if !c.mayIssue() || !c.allows(smx509.KeyUsageCRLSign) {
		return nil, ErrOwnCA.Withf("the CA's certificate does not let it sign certificates and CRLs")
	}
	return &Authority{c, k}, nil
}

// CertificatePEM is what is handed to registrars.
func (a *Authority) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// KeyPEM is what nobody else may have.
func (a *Authority) KeyPEM() ([]byte, error) { return KeyPEM(a.key) }

// Algorithm is that of the CA's key.
func (a *Authority) Algorithm() Algorithm { return a.cert.algorithm }

// NotAfter is when the CA's own certificate ends, and all that it issued with it.
func (a *Authority) NotAfter() time.Time { return a.cert.NotAfter }

// Issue makes a certificate for the node with that peer ID, as text, and that public key. It cannot
// outlive the CA's own; the error is then an ErrOwnPeriod.
func (a *Authority) Issue(random io.Reader, peerID string, key crypto.PublicKey, from, until time.Time) (*Issued, error) {
	if until.After(a.cert.NotAfter) || !from.Before(until) {
		return nil, ErrOwnPeriod.Withf("the CA's own certificate ends before that, at %s", a.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	if algorithmOf(key) == "" {
		return nil, ErrRequest
	}
	names, err := peerNames(peerID)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial(random)
	if err != nil {
		return nil, err
	}
	der, err := smx509.CreateCertificate(random, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: peerID}, NotBefore: from, NotAfter: until,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, ExtraExtensions: []pkix.Extension{names},
	}, a.cert.ToX509(), key, a.key)
	if err != nil {
		return nil, err
	}
	return a.issued(der)
}

// Issued reads a certificate from PEM and tells whether this CA issued it: if not, the error is
// an ErrAuthority.
func (a *Authority) Issued(text []byte) (*Issued, error) {
	chain, err := ParseChain(text)
	if err != nil {
		return nil, err
	}
	return a.issued(chain[0])
}

func (a *Authority) issued(der []byte) (*Issued, error) {
	c, err := parse(der)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(c.RawIssuer, a.cert.RawSubject) || !a.cert.algorithm.signs(c.SignatureAlgorithm) ||
		c.CheckSignatureFrom(a.cert.Certificate) != nil {
		return nil, ErrAuthority.Withf("this CA did not issue the certificate")
	}
	i := &Issued{
		Serial: serialText(c.SerialNumber), NotAfter: c.NotAfter,
		PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
	if ids := peers(c); len(ids) > 0 {
		i.Peer = ids[0]
	}
	return i, nil
}

// peerNames is the extension that binds a certificate to a peer ID: one URI (RFC 5280 §4.2.1.6).
func peerNames(peerID string) (pkix.Extension, error) {
	if peerID == "" {
		return pkix.Extension{}, errors.New("certs: no peer ID")
	}
	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(PeerURI + peerID)) })
	})
	value, err := b.Bytes()
	return pkix.Extension{Id: []int{2, 5, 29, 17}, Value: value}, err
}

// newSerial draws 127 bits, so that the number is positive in 16 bytes and never guessed.
func newSerial(random io.Reader) (*big.Int, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40 // all of one length, none zero
	return new(big.Int).SetBytes(b[:]), nil
}
