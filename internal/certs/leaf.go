package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/sm2"
)

// Leaf is a node's own certificate, verified. What names it is its issuer and serial number, by
// which it is revoked: the fingerprint is of the bytes as they came, in which whoever presents them
// can write the CA's signature in other ways.
type Leaf struct {
	Fingerprint [32]byte  // SHA-256 of the DER
	Subject     string    // as text (RFC 2253), printable, at most 200 bytes
	Serial      string    // hex, in whole bytes
	Algorithm   Algorithm // of its key
	NotBefore   time.Time // the latest of the chain, with its root
	NotAfter    time.Time // the earliest of the chain, with its root

	key crypto.PublicKey
}

func newLeaf(path []certificate) *Leaf {
	c := path[0]
	l := &Leaf{
		Fingerprint: sha256.Sum256(c.Raw), Subject: printable(c.Subject.String()), Serial: serialText(c.SerialNumber),
		Algorithm: c.algorithm, NotBefore: c.NotBefore, NotAfter: c.NotAfter, key: c.PublicKey,
	}
	for _, c := range path[1:] {
		if c.NotBefore.After(l.NotBefore) {
			l.NotBefore = c.NotBefore
		}
		if c.NotAfter.Before(l.NotAfter) {
			l.NotAfter = c.NotAfter
		}
	}
	return l
}

func serialText(serial *big.Int) string {
	if serial.Sign() == 0 {
		return "00"
	}
	return hex.EncodeToString(serial.Bytes())
}

// CheckProof verifies a signature that Sign made with the key of this certificate; the error is
// ErrProof.
func (l *Leaf) CheckProof(msg, sig []byte) error {
	ok := false
	switch key := l.key.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, msg, sig)
	case *ecdsa.PublicKey:
		if l.Algorithm == SM2 {
			ok = sm2.VerifyASN1WithSM2(key, nil, msg, sig) // nil: the default identity
			break
		}
		digest, _ := digestFor(l.Algorithm, msg)
		ok = ecdsa.VerifyASN1(key, digest, sig)
	}
	if !ok {
		return ErrProof
	}
	return nil
}

// digestFor is what ECDSA signs of a message: SHA-256 on P-256, SHA-384 on P-384.
func digestFor(a Algorithm, msg []byte) ([]byte, crypto.Hash) {
	if a == P384 {
		d := sha512.Sum384(msg)
		return d[:], crypto.SHA384
	}
	d := sha256.Sum256(msg)
	return d[:], crypto.SHA256
}
