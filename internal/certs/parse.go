package certs

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"slices"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// certificate is a parsed one whose key is of a kind that is taken.
type certificate struct {
	*smx509.Certificate
	algorithm Algorithm
}

// maxSerial is the most bits of a serial number (RFC 5280 §4.1.2.2: 20 octets).
const maxSerial = 160

// parse reads one certificate. Its key is looked at before anything else is, so that no other kind
// of key costs anything.
func parse(der []byte) (certificate, error) {
	if err := checkKey(der); err != nil {
		return certificate{}, err
	}
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		return certificate{}, caused(ErrMalformed, err)
	}
	if c.SerialNumber.Sign() < 0 || c.SerialNumber.BitLen() > maxSerial {
		return certificate{}, ErrMalformed.Withf("the certificate has a serial number that is negative or over 20 bytes")
	}
	return certificate{c, algorithmOf(c.PublicKey)}, nil
}

// The kinds of keys by their identifiers: RFC 8410 §3, RFC 5480 §2.1.1, GM/T 0006 §5.2.
var (
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidCurves  = []asn1.ObjectIdentifier{
		{1, 2, 840, 10045, 3, 1, 7}, // P-256
		{1, 3, 132, 0, 34},          // P-384
		{1, 2, 156, 10197, 1, 301},  // SM2
	}
)

// checkKey finds out whether a certificate says that its key is of a kind that is taken
// (RFC 5280 §4.1).
func checkKey(der []byte) error {
	in := cryptobyte.String(der)
	var key, id, skipped cryptobyte.String
	ok := in.ReadASN1(&in, tag.SEQUENCE)         // certificate
	ok = ok && in.ReadASN1(&in, tag.SEQUENCE) && // what is signed of it
		in.SkipOptionalASN1(tag.Tag(0).Constructed().ContextSpecific()) && // version
		in.SkipASN1(tag.INTEGER) // serial number
	for range 4 { // signature algorithm, issuer, validity, subject
		ok = ok && in.ReadASN1(&skipped, tag.SEQUENCE)
	}
	var kind asn1.ObjectIdentifier
	if !ok || !in.ReadASN1(&key, tag.SEQUENCE) || !key.ReadASN1(&id, tag.SEQUENCE) || !id.ReadASN1ObjectIdentifier(&kind) {
		return ErrMalformed
	}
	if kind.Equal(oidEd25519) {
		return nil
	}
	var curve asn1.ObjectIdentifier
	if !kind.Equal(oidEC) || !id.ReadASN1ObjectIdentifier(&curve) || !slices.ContainsFunc(oidCurves, curve.Equal) {
		return ErrKey
	}
	return nil
}

// signs tells whether a key of that kind makes signatures of that algorithm, and we take them.
func (a Algorithm) signs(s smx509.SignatureAlgorithm) bool {
	switch a {
	case Ed25519:
		return s == smx509.PureEd25519
	case P256, P384: // whatever the curve: OpenSSL takes SHA-256 unless told otherwise
		return s == smx509.ECDSAWithSHA256 || s == smx509.ECDSAWithSHA384 || s == smx509.ECDSAWithSHA512
	case SM2:
		return s == smx509.SM2WithSM3
	default:
		return false
	}
}

var oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15}

// allows tells whether the key may be used so: a certificate that says nothing of its key's usage
// allows all (RFC 5280 §6.1.4 n).
func (c certificate) allows(usage smx509.KeyUsage) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidKeyUsage) {
			return c.KeyUsage&usage != 0
		}
	}
	return true
}

// mayIssue tells whether c is a CA that may sign certificates.
func (c certificate) mayIssue() bool {
	return c.IsCA && c.allows(smx509.KeyUsageCertSign)
}

// pemBlocks splits a text; what stands between the blocks is ignored, a block that is damaged is
// not: a CRL must not vanish by one wrong character.
func pemBlocks(text []byte) (blocks []*pem.Block, err error) {
	begun := bytes.Count(text, []byte("-----BEGIN"))
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		blocks = append(blocks, b)
	}
	switch {
	case len(blocks) != begun:
		return nil, errors.New("a PEM block in it is damaged")
	case begun == 0:
		return nil, errors.New("there is no PEM block in it")
	}
	return blocks, nil
}

// sameKey tells whether two public keys are one.
func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
